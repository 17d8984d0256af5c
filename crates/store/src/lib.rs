//! What: mailboxes, messages, threads, quota and the account's change log. The only writer of these tables.
