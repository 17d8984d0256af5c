//! IMAP4: codec, session, one file per command.
