//! Ids of the store. Each is its own type, so that a UID is never taken for a sequence number.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}", self.0) }
        }
    };
}

id! {
    /// UID. Set on append. Strictly increasing in a mailbox, never reused under one UIDVALIDITY. 1 and up (RFC 9051 §2.3.1.1).
    Uid(u32)
}
id! {
    /// Set when the mailbox is made; another one when a mailbox of the same name is made again. 1 and up.
    UidValidity(u32)
}
id! {
    /// The account's counter. Every change to the account gets the next one; 1 and up (RFC 7162 allows 63 bits).
    ModSeq(u64)
}
id! {
    /// A mailbox. Never reused in an account; survives renames.
    MailboxId(u32)
}
id! {
    /// A message's content in an account: body and what was read from it. Shared by its copies; never reused.
    DocId(u64)
}
id! {
    /// A thread: the `DocId` of its first message.
    ThreadId(u64)
}
