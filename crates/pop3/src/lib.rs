//! POP3: codec, session, one file per command.
