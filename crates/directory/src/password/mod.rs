//! Password hashes: made, checked, imported. Pure computing; slow on purpose, so callers run it on the offload port.
//! A stored hash that is damaged or asks for too much never matches (fails closed).
//! RFC 9106 (Argon2), RFC 5802 §3 (SCRAM keys), RFC 4013 (SASLprep).

pub(crate) mod legacy;
pub(crate) mod prepare;
pub(crate) mod scram_keys;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordVerifier, phc::PasswordHash},
};
use yubin_base::ports::Random;

use crate::{Argon2Cost, DirectoryError, DirectoryOptions, limits, tables::credential::ScramKeys};

/// A password in today's stored forms.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) hash: String,
    pub(crate) scram: Option<ScramKeys>,
}

impl Made {
    /// As the credentials take it.
    pub(crate) fn into_parts(self) -> (String, Option<ScramKeys>) {
        (self.hash, self.scram)
    }
}

/// How to make the stored forms: costs, and salts drawn before the work leaves for another thread.
pub(crate) struct Recipe {
    cost: Argon2Cost,
    salt: [u8; 16],
    scram_salt: [u8; 16],
    scram_iterations: u32,
}

impl Recipe {
    /// Draws salts.
    pub(crate) fn new(options: &DirectoryOptions, random: &dyn Random) -> Self {
        let (mut salt, mut scram_salt) = ([0; 16], [0; 16]);
        random.fill(&mut salt);
        random.fill(&mut scram_salt);
        Self { cost: options.argon2, salt, scram_salt, scram_iterations: options.scram_iterations }
    }
}

/// Makes the stored forms of a password. Nothing when the cost options are out of Argon2's range.
pub(crate) fn make(recipe: &Recipe, plain: &[u8]) -> Option<Made> {
    let prepared = prepare::prepare(plain);
    let hash = hash(recipe.cost, &recipe.salt, prepared.as_ref().map_or(plain, |text| text.as_bytes()))?;
    let scram = prepared
        .map(|text| scram_keys::make(text.as_bytes(), recipe.scram_salt.to_vec(), recipe.scram_iterations));
    Some(Made { hash, scram })
}

fn hash(cost: Argon2Cost, salt: &[u8], password: &[u8]) -> Option<String> {
    let mut tag = [0; 32];
    argon2id(cost)?.hash_password_into(password, salt, &mut tag).ok()?;
    let base64 =
        |octets: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, octets);
    let Argon2Cost { memory_kib, passes, lanes } = cost;
    Some(format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${}${}", base64(salt), base64(&tag)))
}

fn argon2id(cost: Argon2Cost) -> Option<Argon2<'static>> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Whether hashes can be made at this cost, and read again within our limits.
pub(crate) fn usable_cost(cost: Argon2Cost) -> bool {
    within_limits(cost.memory_kib, cost.passes, cost.lanes) && argon2id(cost).is_some()
}

fn within_limits(memory_kib: u32, passes: u32, lanes: u32) -> bool {
    memory_kib <= limits::ARGON2_MEMORY_KIB
        && passes <= limits::ARGON2_PASSES
        && lanes <= limits::ARGON2_LANES
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the password.
    Right,
    /// It is not.
    Wrong,
    /// The stored hash is damaged, unknown, or asks for too much.
    Unusable,
}

/// Checks a password against what is stored, or against nothing. Costs at least as much as one of our own hashes, whatever is stored.
pub(crate) fn check(stored: Option<&str>, cost: Argon2Cost, password: &[u8]) -> Verdict {
    let (verdict, paid) = match stored {
        None => (Verdict::Wrong, false),
        Some(stored) => match argon2_of(stored) {
            Some(phc) => (check_argon2(phc, password), true),
            None => (legacy::check(stored, password), false),
        },
    };
    // A wrong guess must not tell which kind of hash there is, if any. Right ones are followed by an upgrade.
    if verdict == Verdict::Unusable || (verdict == Verdict::Wrong && !paid) {
        std::hint::black_box(hash(cost, b"no such user....", password));
    }
    verdict
}

/// The PHC string of an Argon2 hash, with or without a scheme before it.
fn argon2_of(stored: &str) -> Option<&str> {
    let bare = match legacy::scheme(stored) {
        (Some(scheme), rest) if matches!(scheme.as_str(), "ARGON2ID" | "ARGON2I" | "ARGON2") => rest,
        (Some(_), _) => return None,
        (None, rest) => rest,
    };
    bare.starts_with("$argon2").then_some(bare)
}

fn check_argon2(phc: &str, password: &[u8]) -> Verdict {
    let Some(parsed) = parse_argon2(phc) else { return Verdict::Unusable };
    let matches = |octets: &[u8]| Argon2::default().verify_password(octets, &parsed).is_ok();
    let prepared = prepare::prepare(password);
    if matches(prepared.as_ref().map_or(password, |text| text.as_bytes())) {
        return Verdict::Right;
    }
    // Imported hashes were made of the octets as typed.
    if prepared.is_some_and(|text| text.as_bytes() != password) && matches(password) {
        return Verdict::Right;
    }
    Verdict::Wrong
}

/// Reads a PHC string whole: salt, tag, and costs within our limits.
fn parse_argon2(phc: &str) -> Option<PasswordHash> {
    let parsed = PasswordHash::new(phc).ok().filter(|_| phc.len() <= limits::HASH_OCTETS)?;
    let params = Params::try_from(&parsed).ok()?;
    let bounded = within_limits(params.m_cost(), params.t_cost(), params.p_cost());
    let known = matches!(parsed.algorithm.as_str(), "argon2id" | "argon2i" | "argon2d");
    let whole = parsed.salt.is_some() && parsed.hash.as_ref().is_some_and(|tag| tag.as_bytes().len() >= 16);
    (bounded && known && whole).then_some(parsed)
}

/// Whether a stored password should be made anew when its plain text is at hand.
pub(crate) fn outdated(
    hash: &str,
    scram: Option<&ScramKeys>,
    options: &DirectoryOptions,
    plain: &[u8],
) -> bool {
    let Argon2Cost { memory_kib, passes, lanes } = options.argon2;
    let today = format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}$");
    let scram_today = match scram {
        Some(keys) => keys.iterations == options.scram_iterations,
        None => prepare::prepare(plain).is_none(),
    };
    !hash.starts_with(&today) || !scram_today
}

/// What was imported.
pub(crate) enum Import {
    /// A hash to keep until its first use.
    Hash(String),
    /// The password itself, to be hashed at once.
    Plain(String),
}

/// Reads a hash from another system; refuses what could never match.
pub(crate) fn import(stored: &str) -> Result<Import, DirectoryError> {
    let stored = stored.trim_end_matches(['\r', '\n']);
    if let (Some(scheme), rest) = legacy::scheme(stored)
        && matches!(scheme.as_str(), "PLAIN" | "CLEAR" | "CLEARTEXT")
    {
        return Ok(Import::Plain(rest.to_owned()));
    }
    let usable = stored.len() <= limits::HASH_OCTETS
        && match argon2_of(stored) {
            Some(phc) => parse_argon2(phc).is_some(),
            None => legacy::usable(stored),
        };
    if usable { Ok(Import::Hash(stored.to_owned())) } else { Err(DirectoryError::BadHash) }
}

/// Whether a password may be set.
pub(crate) fn check_new(plain: &str) -> Result<(), DirectoryError> {
    if plain.is_empty() {
        Err(DirectoryError::EmptyPassword)
    } else if plain.len() > limits::PASSWORD_OCTETS {
        Err(DirectoryError::PasswordTooLong)
    } else if plain.chars().any(char::is_control) || prepare::prepare(plain.as_bytes()).is_none() {
        Err(DirectoryError::PasswordHasControls)
    } else {
        Ok(())
    }
}

/// Whether a password is worth a check: not empty, no NUL, not over long. The same answer for every user.
pub(crate) fn plausible(password: &[u8]) -> bool {
    !password.is_empty() && password.len() <= limits::PASSWORD_OCTETS && !password.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Argon2Cost = Argon2Cost::CHEAP;
    /// From the Argon2 reference implementation's tests: m=256, t=2, p=1, "password", "somesalt".
    const REFERENCE: &str =
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    fn recipe() -> Recipe {
        Recipe { cost: CHEAP, salt: [1; 16], scram_salt: [2; 16], scram_iterations: 4096 }
    }

    #[test]
    fn the_reference_hash_matches() {
        assert_eq!(check(Some(REFERENCE), CHEAP, b"password"), Verdict::Right);
        assert_eq!(check(Some(&format!("{{ARGON2ID}}{REFERENCE}")), CHEAP, b"password"), Verdict::Right);
        assert_eq!(check(Some(REFERENCE), CHEAP, b"passwore"), Verdict::Wrong);
    }

    #[test]
    fn what_is_made_matches_in_every_spelling_of_the_same_text() {
        for (set, tried, verdict) in [
            ("secret", "secret", Verdict::Right),
            ("secret", "Secret", Verdict::Wrong),
            ("café", "cafe\u{301}", Verdict::Right),
            ("パス", "ﾊﾟｽ", Verdict::Right),
            ("a b", "a\u{3000}b", Verdict::Right),
            ("a", "", Verdict::Wrong),
        ] {
            let made = make(&recipe(), set.as_bytes()).unwrap();
            assert!(made.hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", made.hash);
            assert_eq!(check(Some(&made.hash), CHEAP, tried.as_bytes()), verdict, "{set} {tried}");
            assert!(made.scram.is_some());
        }
        let made = make(&recipe(), b"\xff\xfe").unwrap();
        assert_eq!(check(Some(&made.hash), CHEAP, b"\xff\xfe"), Verdict::Right);
        assert!(made.scram.is_none());
    }

    #[test]
    fn damaged_or_costly_argon2_hashes_match_nothing() {
        for stored in [
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOg",
            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=9999,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=0,t=0,p=0$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2xx$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$",
        ] {
            assert_eq!(check(Some(stored), CHEAP, b"password"), Verdict::Unusable, "{stored}");
            assert!(import(stored).is_err(), "{stored}");
        }
        for cut in 0..REFERENCE.len() {
            assert_ne!(check(Some(&REFERENCE[..cut]), CHEAP, b"password"), Verdict::Right, "cut at {cut}");
        }
        assert_eq!(check(None, CHEAP, b"password"), Verdict::Wrong);
    }

    #[test]
    fn only_what_is_of_yesterday_is_outdated() {
        let options = DirectoryOptions::dev();
        let made = make(&recipe(), b"secret").unwrap();
        assert!(!outdated(&made.hash, made.scram.as_ref(), &options, b"secret"));
        assert!(outdated(&made.hash, None, &options, b"secret"));
        assert!(!outdated(&made.hash, None, &options, b"\xff"), "no keys can be made of it");
        assert!(outdated(REFERENCE, made.scram.as_ref(), &options, b"secret"));
        let more = DirectoryOptions { scram_iterations: 10_000, ..options };
        assert!(outdated(&made.hash, made.scram.as_ref(), &more, b"secret"));
    }
}
