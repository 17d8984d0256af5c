//! Where mail goes, and who may send from which address.

use yubin_base::{AccountId, Address};
use yubin_directory::{AliasSenders, DirectoryOptions, NewDomain, Resolution};

use crate::world::{World, now};

/// `ann@… → 1`, `1+detail`, `out:x@y`, or the reason why not.
fn shown(resolution: Resolution) -> String {
    match resolution {
        Resolution::Local { deliveries, remote } => {
            let mut parts: Vec<String> = deliveries
                .iter()
                .map(|d| match &d.detail {
                    Some(detail) => format!("{}+{detail}", d.account),
                    None => d.account.to_string(),
                })
                .collect();
            parts.extend(remote.iter().map(|address| format!("out:{address}")));
            parts.join(" ")
        }
        Resolution::UnknownUser => "unknown".into(),
        Resolution::NotOurs => "not ours".into(),
        Resolution::Disabled => "disabled".into(),
        Resolution::TooManyTargets => "too many".into(),
    }
}

fn check(world: &World, table: &[(&str, &str)]) {
    for (address, expected) in table {
        let (local, domain) = address.rsplit_once('@').unwrap();
        let resolution = world.directory.resolve(&Address::new(local, domain).unwrap());
        assert_eq!(shown(resolution), *expected, "{address}");
    }
}

#[test]
fn accounts_aliases_and_subaddresses() {
    let world = World::small();
    let d = &world.directory;
    now(d.add_alias("info@example.test", &["ann@example.test"])).unwrap();
    now(d.add_alias("all@example.test", &["info@example.test", "bob@example.test", "x@elsewhere.test"]))
        .unwrap();
    now(d.add_alias("lists@example.test", &["ann+lists@example.test", "ann@example.test"])).unwrap();
    world.add("odd+name@example.test", "x");
    world.add("花子@example.test", "x");
    check(
        &world,
        &[
            ("ann@example.test", "1"),
            ("ANN@EXAMPLE.test", "1"),
            ("ann+x@example.test", "1+x"),
            ("ann+x+y@example.test", "1+x+y"),
            ("ann+@example.test", "1+"),
            ("Ann+Keeps Case@example.test", "1+Keeps Case"),
            ("+x@example.test", "unknown"),
            ("odd+name@example.test", "3"),
            ("odd+name+x@example.test", "3+x"),
            ("odd@example.test", "unknown"),
            ("花子@example.test", "4"),
            ("info@example.test", "1"),
            ("info+x@example.test", "1+x"),
            ("all@example.test", "2 1 out:x@elsewhere.test"),
            ("all+x@example.test", "2+x 1+x out:x@elsewhere.test"),
            ("lists@example.test", "1+lists"),
            ("carol@example.test", "unknown"),
            ("@example.test", "unknown"),
            ("ann@elsewhere.test", "not ours"),
            ("ann@xn--a", "not ours"),
            ("ann@sub.example.test", "not ours"),
            ("ann@[192.0.2.1]", "not ours"),
        ],
    );
    now(d.set_enabled("ann", false)).unwrap();
    check(
        &world,
        &[
            ("ann@example.test", "disabled"),
            ("info@example.test", "disabled"),
            ("all@example.test", "2 out:x@elsewhere.test"),
        ],
    );
    now(d.set_separators("example.test", "-=")).unwrap();
    check(
        &world,
        &[("bob-x@example.test", "2+x"), ("bob=x@example.test", "2+x"), ("bob+x@example.test", "unknown")],
    );
}

#[test]
fn catch_all_and_postmaster() {
    let world = World::small();
    let d = &world.directory;
    check(
        &world,
        &[
            ("postmaster@example.test", "1"),
            ("PostMaster@example.test", "1"),
            ("abuse@example.test", "unknown"),
        ],
    );
    assert_eq!(shown(d.resolve_postmaster()), "1");
    now(d.set_enabled("ann", false)).unwrap();
    check(&world, &[("postmaster@example.test", "2")]);
    now(d.set_catch_all("example.test", Some("bob@example.test"))).unwrap();
    check(
        &world,
        &[("anything@example.test", "2"), ("bob+x@example.test", "2+x"), ("ann@example.test", "disabled")],
    );
    now(d.set_catch_all("example.test", Some("y@elsewhere.test"))).unwrap();
    check(&world, &[("anything@example.test", "out:y@elsewhere.test")]);
    now(d.set_catch_all("example.test", None)).unwrap();
    now(d.add_alias("postmaster@example.test", &["z@elsewhere.test"])).unwrap();
    check(
        &world,
        &[("anything@example.test", "unknown"), ("Postmaster@example.test", "out:z@elsewhere.test")],
    );

    let off =
        World::small_with(DirectoryOptions { postmaster_falls_to_first: false, ..DirectoryOptions::dev() });
    check(&off, &[("postmaster@example.test", "unknown")]);
    let set =
        DirectoryOptions { postmaster: Address::parse_plain("bob@example.test"), ..DirectoryOptions::dev() };
    check(&World::small_with(set), &[("postmaster@example.test", "2")]);
    assert_eq!(World::empty().directory.resolve_postmaster(), Resolution::NotOurs);
}

#[test]
fn domains_in_every_form_and_by_alias() {
    let world = World::small();
    let d = &world.directory;
    now(d.add_domain(NewDomain::named("例え.test"))).unwrap();
    now(d.add_domain(NewDomain { alias_of: Some("example.test".into()), ..NewDomain::named("other.test") }))
        .unwrap();
    now(d.add_domain(NewDomain { case_sensitive: true, ..NewDomain::named("case.test") })).unwrap();
    world.add("ann@例え.test", "x");
    world.add("Ann@case.test", "x");
    world.add("ann@case.test", "x");
    now(d.add_alias("Info@case.test", &["ann@other.test"])).unwrap();
    check(
        &world,
        &[
            ("ann@例え.test", "3"),
            ("ann@xn--r8jz45g.test", "3"),
            ("ann@other.test", "1"),
            ("ann+x@Other.Test", "1+x"),
            ("postmaster@other.test", "1"),
            ("Ann@case.test", "4"),
            ("ann@case.test", "5"),
            ("ANN@case.test", "unknown"),
            ("Info@case.test", "1"),
            ("info@case.test", "unknown"),
            ("POSTMASTER@case.test", "4"),
        ],
    );
    // The same after a restart.
    let again = World { directory: world.another(), ..world };
    check(
        &again,
        &[
            ("Ann@case.test", "4"),
            ("ann@case.test", "5"),
            ("Info@case.test", "1"),
            ("info@case.test", "unknown"),
        ],
    );
    assert!(again.directory.is_ours("例え.test") && again.directory.is_ours("other.test."));
    assert!(!again.directory.is_ours("elsewhere.test"));
}

#[test]
fn expansion_is_bounded() {
    let world = World::small();
    let d = &world.directory;
    let lists: Vec<String> = (0..12).map(|n| format!("list{n}@example.test")).collect();
    for (n, list) in lists.iter().enumerate() {
        let targets: Vec<String> = (0..100).map(|m| format!("u{n}x{m}@elsewhere.test")).collect();
        now(d.add_alias(list, &targets.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
    }
    let some: Vec<_> = lists.iter().take(9).map(String::as_str).collect();
    now(d.add_alias("some@example.test", &some)).unwrap();
    let Resolution::Local { remote, .. } = d.resolve(&Address::new("some", "example.test").unwrap()) else {
        panic!()
    };
    assert_eq!(remote.len(), 900);
    let all: Vec<_> = lists.iter().map(String::as_str).collect();
    now(d.add_alias("all@example.test", &all)).unwrap();
    check(&world, &[("all@example.test", "too many")]);
}

#[test]
fn owners_of_addresses() {
    let table = |senders: AliasSenders| {
        let world = World::small_with(DirectoryOptions { alias_senders: senders, ..DirectoryOptions::dev() });
        let d = &world.directory;
        now(d.add_alias("info@example.test", &["ann@example.test"])).unwrap();
        now(d.add_alias("both@example.test", &["ann@example.test", "bob@example.test"])).unwrap();
        now(d.add_alias("copy@example.test", &["ann@example.test", "x@elsewhere.test"])).unwrap();
        let owned = |account: u64| {
            ["ann", "Ann+x", "info", "info+x", "both", "copy", "bob", "nobody"]
                .into_iter()
                .filter(|l| d.owns(AccountId(account), &Address::new(l, "example.test").unwrap()))
                .collect::<Vec<_>>()
                .join(" ")
        };
        (owned(1), owned(2), owned(3))
    };
    let own = |a: &str, b: &str| (a.to_owned(), b.to_owned(), String::new());
    assert_eq!(table(AliasSenders::Nobody), own("ann Ann+x", "bob"));
    assert_eq!(table(AliasSenders::SoleTarget), own("ann Ann+x info info+x", "bob"));
    assert_eq!(table(AliasSenders::AnyTarget), own("ann Ann+x info info+x both copy", "both bob"));

    let world = World::small();
    let owns = |account, address: &str| {
        world.directory.owns(AccountId(account), &Address::parse_plain(address).unwrap())
    };
    assert!(!owns(1, "ann@elsewhere.test"));
    now(world.directory.set_catch_all("example.test", Some("ann@example.test"))).unwrap();
    assert!(
        owns(1, "anything@example.test") && !owns(1, "bob@example.test") && !owns(2, "anything@example.test")
    );
    now(world.directory.set_enabled("ann", false)).unwrap();
    assert!(!owns(1, "ann@example.test"));
}
