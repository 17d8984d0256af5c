//! Flags and keywords that the checker uses, as bits.

/// A set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flags(u16);

const NAMES: [&str; 9] = [
    "\\Seen",
    "\\Answered",
    "\\Flagged",
    "\\Deleted",
    "\\Draft",
    "$Forwarded",
    "$Junk",
    "check-one",
    "check-two",
];

impl Flags {
    pub const SEEN: Flags = Flags(1);
    pub const DELETED: Flags = Flags(8);

    /// Every flag there is, one by one, with its name.
    pub fn each() -> impl Iterator<Item = (Flags, &'static str)> {
        NAMES.iter().enumerate().map(|(bit, name)| (Flags(1 << bit), *name))
    }

    /// `None`: one of them was never set by anybody. `\Recent` does not count: it is not kept.
    pub fn parse<'a>(names: impl Iterator<Item = &'a str>) -> Option<Flags> {
        let mut flags = Flags::default();
        for name in names.filter(|name| !name.eq_ignore_ascii_case("\\Recent")) {
            let (flag, _) = Flags::each().find(|(_, known)| known.eq_ignore_ascii_case(name))?;
            flags = flags.with(flag);
        }
        Some(flags)
    }

    pub fn from_bits(bits: u64) -> Flags {
        Flags(u16::try_from(bits % (1 << NAMES.len())).unwrap_or(0))
    }

    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::fmt::Display for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> =
            Flags::each().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| name).collect();
        write!(f, "({})", names.join(" "))
    }
}
