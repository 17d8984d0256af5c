//! Names and passwords: the same answer for all who may not, upgrades, memory, throttling.

use std::sync::atomic::Ordering;

use yubin_base::{
    AccountId,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext},
};
use yubin_directory::{Argon2Cost, DirectoryOptions, NewAccount, NewPassword};
use yubin_engine::memory::Faults;

use crate::world::{World, at, now, plain, tls};

fn login(
    world: &World,
    user: &str,
    password: &str,
    context: SaslContext,
) -> Result<Authenticated, AuthFailure> {
    now(world.directory.login(user, password.as_bytes(), context))
}

fn is_refused(outcome: &Result<Authenticated, AuthFailure>) -> bool {
    matches!(outcome, Err(AuthFailure::Refused { .. }))
}

#[test]
fn names_in_every_spelling() {
    let world = World::small();
    for user in ["ann@example.test", "ANN@Example.TEST", "ann"] {
        let outcome = login(&world, user, "pencil", tls());
        let ann = Authenticated { account: AccountId(1), name: "ann@example.test".into() };
        assert_eq!(outcome, Ok(ann), "{user}");
    }
    for (n, user) in
        ["ann+x@example.test", "carol", "ann@elsewhere.test", "@example.test", "", "a@b@c"].iter().enumerate()
    {
        let outcome = login(&world, user, "pencil", at(tls(), &format!("198.51.100.{n}"), 0));
        assert!(is_refused(&outcome), "{user}");
    }
}

#[test]
fn without_tls_only_where_allowed() {
    let world = World::small();
    assert_eq!(login(&world, "ann", "pencil", plain()), Err(AuthFailure::TlsRequired));
    assert!(login(&world, "ann", "pencil", SaslContext { plaintext_allowed: true, ..plain() }).is_ok());
}

#[test]
fn everybody_who_may_not_costs_one_hash_and_gets_the_same_answer() {
    let world = World::small();
    let d = &world.directory;
    for (name, hash) in [("legacy", "{SSHA}LhKrkM9Fy+zlstjdD7Kv2s6QvhBzYWx0"), ("none", "")] {
        let password = if hash.is_empty() { NewPassword::None } else { NewPassword::Hash(hash.into()) };
        let address = format!("{name}@example.test");
        now(d.add_account(NewAccount { address, password, ..NewAccount::default() })).unwrap();
    }
    now(d.set_enabled("bob", false)).unwrap();
    for (n, (user, password)) in
        [("ann", "wrong"), ("carol", "wrong"), ("bob", "Bleistift"), ("legacy", "wrong"), ("none", "wrong")]
            .iter()
            .enumerate()
    {
        let jobs = world.jobs_of(|| {
            let outcome = login(&world, user, password, at(tls(), &format!("198.51.100.{n}"), 0));
            assert_eq!(outcome, Err(AuthFailure::Refused { delay_ms: 500 }), "{user}");
        });
        assert_eq!(jobs, 1, "{user}");
    }
    for password in ["", "pen\0cil", &"x".repeat(1025)] {
        for user in ["ann", "carol"] {
            let jobs = world
                .jobs_of(|| assert!(is_refused(&login(&world, user, password, at(tls(), "203.0.113.1", 0)))));
            assert_eq!(jobs, 0, "{user} {password:?}");
        }
    }
}

#[test]
fn recent_successes_are_remembered_for_a_while() {
    let world = World::small();
    let hashed = |password: &str, ms| {
        world.jobs_of(|| drop(login(&world, "ann", password, at(tls(), "192.0.2.1", ms))))
    };
    assert_eq!(hashed("pencil", 0), 1);
    assert_eq!(hashed("pencil", 1000), 0);
    assert_eq!(hashed("wrong", 1000), 1);
    assert_eq!(hashed("pencil", 299_999), 0);
    assert_eq!(hashed("pencil", 300_000), 1);
    now(world.directory.set_password("ann", NewPassword::Plain("eraser".into()))).unwrap();
    assert!(is_refused(&login(&world, "ann", "pencil", at(tls(), "192.0.2.1", 300_001))));
    now(world.directory.set_password("ann", NewPassword::Plain("pencil".into()))).unwrap();
    assert_eq!(hashed("pencil", 300_002), 1, "a new version of the same password");
    assert_eq!(hashed("pencil", 300_003), 0);
    now(world.directory.set_enabled("ann", false)).unwrap();
    assert!(is_refused(&login(&world, "ann", "pencil", at(tls(), "192.0.2.1", 300_004))));
}

#[test]
fn old_hashes_are_accepted_once_and_stored_anew() {
    let world = World::empty();
    let d = &world.directory;
    now(d.add_domain(yubin_directory::NewDomain::named("example.test"))).unwrap();
    for (n, hash) in [
        "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
        "{SSHA}LhKrkM9Fy+zlstjdD7Kv2s6QvhBzYWx0",
        "{SHA512-CRYPT}$6$rounds=1000$abcdefghijklmnop$K9ViLilDpRy6xLunKXsaoeGhKInKdDtpCLyoTSCkDcguT34R9cMK08/eq3hGwOWWgyYCTwWqVmKpFAHjf73Mv/",
        "$5$rounds=1400$anothersalt$6vziWM4RSIydF0C0tTKv0nfIhfzGWKNrDQom3RubBb/",
        "{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "{PLAIN}correct horse",
    ]
    .into_iter()
    .enumerate()
    {
        let address = format!("u{n}@example.test");
        let password = NewPassword::Hash(hash.into());
        now(d.add_account(NewAccount { address: address.clone(), password, ..NewAccount::default() })).unwrap();
        let imported_plain = hash.starts_with("{PLAIN}");
        assert!(is_refused(&login(&world, &address, "Correct horse", at(tls(), &format!("198.51.100.{n}"), 0))));
        let first = world.jobs_of(|| assert!(login(&world, &address, "correct horse", tls()).is_ok(), "{hash}"));
        assert_eq!(first, if imported_plain { 1 } else { 2 }, "{hash}: checked and made anew");
        // Another process, which remembers nothing: one check, no further upgrade.
        let again = World { directory: world.another(), engine: world.engine.clone(), jobs: world.jobs.clone() };
        let second = again.jobs_of(|| assert!(login(&again, &address, "correct horse", tls()).is_ok(), "{hash}"));
        assert_eq!(second, 1, "{hash}");
    }
}

#[test]
fn a_costlier_setting_takes_effect_at_the_next_login() {
    let world = World::small();
    let dear = DirectoryOptions {
        argon2: Argon2Cost { memory_kib: 16, passes: 2, lanes: 1 },
        ..DirectoryOptions::dev()
    };
    let opened = yubin_directory::Directory::open(
        std::sync::Arc::new(world.engine.clone()),
        dear,
        std::sync::Arc::new(Zeros),
        world.jobs.clone(),
    );
    let world = World { directory: now(opened).unwrap(), ..world };
    assert_eq!(world.jobs_of(|| assert!(login(&world, "ann", "pencil", tls()).is_ok())), 2);
}

struct Zeros;
impl yubin_base::ports::Random for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(3);
    }
}

#[test]
fn a_full_disk_does_not_lock_out_old_hashes() {
    let world = World::small();
    let hash = NewPassword::Hash("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=".into());
    now(world.directory.set_password("ann", hash)).unwrap();
    world.engine.set_faults(Faults { full_ppm: 1_000_000, ..Faults::default() });
    assert!(login(&world, "ann", "correct horse", tls()).is_ok());
}

#[test]
fn hashing_given_up_is_nobodys_failure() {
    let world = World::small();
    world.jobs.stopped.store(1, Ordering::Relaxed);
    for _ in 0..20 {
        assert_eq!(login(&world, "ann", "wrong", tls()), Err(AuthFailure::Unavailable));
    }
    world.jobs.stopped.store(0, Ordering::Relaxed);
    assert!(login(&world, "ann", "pencil", tls()).is_ok());
}

#[test]
fn guessing_ends_and_known_pairs_get_in() {
    let world = World::small();
    let home = || at(tls(), "192.0.2.77", 0);
    assert!(login(&world, "ann", "pencil", home()).is_ok());
    let attacker = |ms| at(tls(), "198.51.100.9", ms);
    for n in 0..10 {
        assert!(is_refused(&login(&world, "ann", &format!("guess{n}"), attacker(n))));
    }
    let throttled = Err(AuthFailure::Throttled { delay_ms: 8000 });
    for (user, password, remote) in [
        ("ann", "pencil", "198.51.100.9"),
        ("bob", "Bleistift", "198.51.100.9"),
        ("carol", "x", "198.51.100.9"),
        ("ANN@example.test", "pencil", "203.0.113.5"),
    ] {
        let jobs =
            world.jobs_of(|| assert_eq!(login(&world, user, password, at(tls(), remote, 50)), throttled));
        assert_eq!(jobs, 0, "nothing is checked");
    }
    assert!(login(&world, "ann", "pencil", home()).is_ok());
    assert!(login(&world, "bob", "Bleistift", home()).is_ok());
    assert!(login(&world, "ann", "pencil", attacker(600_000)).is_ok(), "the window has passed");
}

#[test]
fn unknown_names_are_throttled_like_known_ones() {
    let world = World::small();
    for user in ["ann", "carol"] {
        let outcomes: Vec<_> = (0..12)
            .map(|n| login(&world, user, "wrong", at(tls(), &format!("2001:db8:{n}::1"), n)))
            .collect();
        assert_eq!(outcomes.iter().filter(|outcome| is_refused(outcome)).count(), 10, "{user}");
        assert_eq!(outcomes[11], Err(AuthFailure::Throttled { delay_ms: 8000 }), "{user}");
    }
}
