//! SMTP, LMTP and submission: the codec and the server's session machine. No socket, no store, no DNS.
