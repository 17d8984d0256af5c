//! Who may do what with a mailbox (RFC 4314): rights, and the list that grants and denies them. Pure; knows ids, not names.

use std::{fmt, sync::Arc};

use yubin_base::AccountId;

use crate::Flags;

/// A set of rights (RFC 4314 §2.1).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rights(pub u16);

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);
    /// `l`: the mailbox is seen by LIST and LSUB.
    pub const LOOKUP: Self = Self(1);
    /// `r`: SELECT, STATUS, FETCH, SEARCH, COPY from it.
    pub const READ: Self = Self(1 << 1);
    /// `s`: changes `\Seen`.
    pub const SEEN: Self = Self(1 << 2);
    /// `w`: changes flags other than `\Seen` and `\Deleted`.
    pub const WRITE: Self = Self(1 << 3);
    /// `i`: APPEND, COPY into it.
    pub const INSERT: Self = Self(1 << 4);
    /// `p`: mail may be sent to the mailbox.
    pub const POST: Self = Self(1 << 5);
    /// `k`: makes mailboxes below it.
    pub const CREATE: Self = Self(1 << 6);
    /// `x`: deletes or renames the mailbox.
    pub const DELETE_MAILBOX: Self = Self(1 << 7);
    /// `t`: changes `\Deleted`.
    pub const DELETE_MESSAGES: Self = Self(1 << 8);
    /// `e`: EXPUNGE.
    pub const EXPUNGE: Self = Self(1 << 9);
    /// `a`: reads and changes the list.
    pub const ADMINISTER: Self = Self(1 << 10);
    /// Every right: what an owner has.
    pub const ALL: Self = Self((1 << 11) - 1);

    /// Letters and rights, in the order in which they are written.
    pub const LETTERS: [(char, Self); 11] = [
        ('l', Self::LOOKUP),
        ('r', Self::READ),
        ('s', Self::SEEN),
        ('w', Self::WRITE),
        ('i', Self::INSERT),
        ('p', Self::POST),
        ('k', Self::CREATE),
        ('x', Self::DELETE_MAILBOX),
        ('t', Self::DELETE_MESSAGES),
        ('e', Self::EXPUNGE),
        ('a', Self::ADMINISTER),
    ];

    /// The rights behind a letter, the two of RFC 2086 included (RFC 4314 §2.1.1): `c` is `kx`, `d` is `te`.
    pub fn of_letter(letter: char) -> Option<Self> {
        match letter {
            'c' => Some(Self::CREATE.with(Self::DELETE_MAILBOX)),
            'd' => Some(Self::DELETE_MESSAGES.with(Self::EXPUNGE)),
            _ => Self::LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, right)| *right),
        }
    }
    /// The rights of a text of letters; nothing when one of them is no right.
    pub fn parse(text: &str) -> Option<Self> {
        text.chars().try_fold(Self::NONE, |all, letter| Some(all.with(Self::of_letter(letter)?)))
    }
    /// The rights that changing these flags needs: `s` for `\Seen`, `t` for `\Deleted`, `w` for the others (RFC 4314 §4).
    pub fn of_flags(flags: Flags) -> Self {
        let needs = |which: Flags, right| if flags.0 & which.0 != 0 { right } else { Self::NONE };
        let others = Flags::ALL.without(Flags::SEEN).without(Flags::DELETED);
        needs(Flags::SEEN, Self::SEEN)
            .with(needs(Flags::DELETED, Self::DELETE_MESSAGES))
            .with(needs(others, Self::WRITE))
    }
    /// The flags that these rights let change.
    pub fn flags(self) -> Flags {
        let one = |bit: u16| Some(Flags(1 << bit)).filter(|flag| self.has(Self::of_flags(*flag)));
        (0..5).filter_map(one).fold(Flags(0), Flags::with)
    }
    /// Whether all of `other` are in it.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// Whether any of `other` is in it.
    pub fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
    /// Both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// This without `other`.
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::LETTERS.iter().filter(|(_, right)| self.has(*right)).try_for_each(|(c, _)| write!(f, "{c}"))
    }
}
impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({self})")
    }
}

/// Whom an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Everybody whom the directory counts as the owner's neighbour (see [`Viewer::neighbour`]).
    Anyone,
    /// One account.
    Account(AccountId),
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// Whom it is about.
    pub who: Who,
    /// Whether it takes rights away instead (`-identifier`, RFC 4314 §2).
    pub negative: bool,
    /// Which. Never empty.
    pub rights: Rights,
}

/// Somebody who is not the owner of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Who.
    pub id: AccountId,
    /// Whether `anyone` includes them. The directory decides: whoever has an address in the same domain.
    pub neighbour: bool,
}

/// How an entry changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclChange {
    /// These and no others.
    Replace(Rights),
    /// These as well.
    Add(Rights),
    /// These no more.
    Remove(Rights),
}

/// The list of a mailbox: ascending by whom it is about, no two entries alike. The owner has every right and is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl(Arc<[AclEntry]>);

impl Acl {
    /// From entries in any order. Of two about the same the later counts; empty ones are left out.
    pub fn new(entries: impl IntoIterator<Item = AclEntry>) -> Self {
        let mut all: Vec<AclEntry> = Vec::new();
        for entry in entries {
            all.retain(|e| (e.who, e.negative) != (entry.who, entry.negative));
            all.push(entry);
        }
        all.retain(|entry| !entry.rights.is_empty());
        all.sort_unstable_by_key(|entry| (entry.who, entry.negative));
        Self(all.into())
    }
    /// The entries.
    pub fn entries(&self) -> &[AclEntry] {
        &self.0
    }
    /// Whether nobody but the owner is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The list after a change of one entry.
    pub fn changed(&self, who: Who, negative: bool, change: AclChange) -> Self {
        let before = self.entry(who, negative);
        let rights = match change {
            AclChange::Replace(rights) => rights,
            AclChange::Add(rights) => before.with(rights),
            AclChange::Remove(rights) => before.without(rights),
        };
        Self::new(self.0.iter().copied().chain([AclEntry { who, negative, rights }]))
    }
    /// What an entry grants, or takes away when `negative`.
    pub fn entry(&self, who: Who, negative: bool) -> Rights {
        let found = self.0.iter().find(|e| e.who == who && e.negative == negative);
        found.map_or(Rights::NONE, |e| e.rights)
    }
    /// What somebody may: what is granted to them and to anyone, without what is taken away from either (RFC 4314 §2).
    pub fn rights_of(&self, viewer: Viewer) -> Rights {
        let about = |e: &&AclEntry| match e.who {
            Who::Anyone => viewer.neighbour,
            Who::Account(id) => id == viewer.id,
        };
        let sum = |negative| {
            self.0
                .iter()
                .filter(about)
                .filter(|e| e.negative == negative)
                .fold(Rights::NONE, |all, e| all.with(e.rights))
        };
        sum(false).without(sum(true))
    }
    /// Whom it grants anything.
    pub fn grantees(&self) -> impl Iterator<Item = Who> {
        self.0.iter().filter(|entry| !entry.negative).map(|entry| entry.who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(text: &str) -> Rights {
        Rights::parse(text).unwrap()
    }

    #[test]
    fn letters_are_read_and_written() {
        assert_eq!(rights("aetxkpiwsrl"), Rights::ALL);
        assert_eq!(Rights::ALL.to_string(), "lrswipkxtea");
        assert_eq!(rights("cd"), rights("kxte"));
        assert_eq!(rights(""), Rights::NONE);
        for wrong in ["q", "L", "l r", "9"] {
            assert_eq!(Rights::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn flags_need_rights() {
        assert_eq!(Rights::of_flags(Flags::SEEN.with(Flags::DRAFT)), rights("sw"));
        assert_eq!(rights("st").flags(), Flags::SEEN.with(Flags::DELETED));
        assert_eq!(Rights::ALL.flags(), Flags::ALL);
        assert_eq!(rights("lrip").flags(), Flags(0));
    }

    #[test]
    fn what_is_taken_away_wins() {
        let (bob, eve) = (AccountId(2), AccountId(3));
        let acl = Acl::default()
            .changed(Who::Anyone, false, AclChange::Replace(rights("lr")))
            .changed(Who::Account(bob), false, AclChange::Replace(rights("sw")))
            .changed(Who::Account(bob), true, AclChange::Replace(rights("rs")))
            .changed(Who::Anyone, true, AclChange::Add(rights("w")));
        let of = |id, neighbour| acl.rights_of(Viewer { id, neighbour }).to_string();
        assert_eq!(of(bob, true), "l");
        assert_eq!(of(bob, false), "w");
        assert_eq!(of(eve, true), "lr");
        assert_eq!(of(eve, false), "");
        assert_eq!(acl.grantees().collect::<Vec<_>>(), [Who::Anyone, Who::Account(bob)]);
    }

    #[test]
    fn entries_change_and_vanish_when_empty() {
        let bob = Who::Account(AccountId(2));
        let acl = Acl::default().changed(bob, false, AclChange::Add(rights("lrs")));
        assert_eq!(acl.changed(bob, false, AclChange::Remove(rights("sw"))).entry(bob, false), rights("lr"));
        assert!(acl.changed(bob, false, AclChange::Remove(rights("lrs"))).is_empty());
        assert_eq!(acl.changed(bob, false, AclChange::Replace(rights("i"))).entry(bob, false), rights("i"));
        assert_eq!(acl.changed(bob, true, AclChange::Remove(rights("l"))), acl);
    }
}
