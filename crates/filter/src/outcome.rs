//! The result words of RFC 8601 §2.7, which all methods share. Never says which method.

use std::fmt;

/// A method's result. Which of them a method uses is RFC 8601's, §2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing to check: no signature, no record.
    None,
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// SPF `~all`: probably not.
    SoftFail,
    /// The domain says nothing either way.
    Neutral,
    /// It holds, but not by our rules.
    Policy,
    /// Nobody could say now.
    TempError,
    /// What was published or sent is broken.
    PermError,
}

impl Outcome {
    /// As Authentication-Results writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::Policy => "policy",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
