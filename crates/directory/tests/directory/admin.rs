//! What administrators do, and the sentences they get.

use yubin_base::{AccountId, Address};
use yubin_directory::{DirectoryError, DomainKind, NewAccount, NewDomain, NewPassword};

use crate::world::{World, now};

fn address(text: &str) -> Address {
    Address::parse_plain(text).unwrap()
}

/// The sentence must hold these words.
fn refused<T: std::fmt::Debug>(outcome: Result<T, DirectoryError>, words: &str) {
    let error = outcome.expect_err(words).to_string();
    assert!(error.contains(words), "{error:?} lacks {words:?}");
}

#[test]
fn domains_come_and_go() {
    let world = World::small();
    let d = &world.directory;
    let added = now(d.add_domain(NewDomain::named("例え.テスト"))).unwrap();
    assert_eq!((added.name.as_str(), added.unicode.as_str()), ("xn--r8jz45g.xn--zckzah", "例え.テスト"));
    assert_eq!(d.domain("例え.テスト").unwrap().kind, DomainKind::Own);
    refused(now(d.add_domain(NewDomain::named("Example.Test."))), "exists already");
    refused(now(d.add_domain(NewDomain::named("not a domain"))), "no domain name");
    refused(
        now(d.add_domain(NewDomain { separators: "a".into(), ..NewDomain::named("b.test") })),
        "cannot part",
    );
    let alias = |name: &str, of: &str| NewDomain { alias_of: Some(of.into()), ..NewDomain::named(name) };
    refused(now(d.add_domain(alias("b.test", "c.test"))), "no domain c.test here");
    now(d.add_domain(alias("b.test", "example.test"))).unwrap();
    refused(now(d.add_domain(alias("c.test", "b.test"))), "is an alias of example.test");
    refused(now(d.remove_domain("example.test", true)), "b.test is an alias");
    refused(now(d.set_catch_all("b.test", None)), "is an alias of example.test");
    now(d.remove_domain("b.test", false)).unwrap();
    refused(now(d.remove_domain("b.test", false)), "no domain b.test");

    now(d.add_alias("x@例え.テスト", &["ann@example.test"])).unwrap();
    now(d.add_alias("y@例え.テスト", &["ann@example.test", "z@elsewhere.test"])).unwrap();
    now(d.add_alias("info@example.test", &["ann@example.test"])).unwrap();
    refused(now(d.remove_domain("example.test", false)), "2 accounts and 1 aliases");
    assert_eq!(now(d.remove_domain("example.test", true)).unwrap(), [AccountId(1), AccountId(2)]);
    assert!(d.accounts().is_empty() && d.domains().len() == 1);
    // Nothing that stays sends mail to what is no longer ours.
    let left = d.aliases();
    assert_eq!((left.len(), &left[0].targets[..]), (1, &[address("z@elsewhere.test")][..]));
    assert!(world.another().accounts().is_empty());
}

#[test]
fn accounts_come_and_go() {
    let world = World::small();
    let d = &world.directory;
    let new = |address: &str| NewAccount { address: address.into(), ..NewAccount::default() };
    refused(now(d.add_account(new("ANN@example.test"))), "is taken");
    refused(now(d.add_account(new("ann"))), "no address");
    refused(now(d.add_account(new("ann@elsewhere.test"))), "yubin domain add elsewhere.test");
    refused(
        now(d.add_account(NewAccount { display_name: "a\nb".into(), ..new("c@example.test") })),
        "display name",
    );
    let carol =
        NewAccount { quota_octets: Some(5), display_name: "Carol".into(), ..new("Carol@example.test") };
    let carol = now(d.add_account(carol)).unwrap();
    assert_eq!(
        (carol.id, carol.address, carol.quota_octets),
        (AccountId(3), address("Carol@example.test"), Some(5))
    );
    assert!(!d.has_password(AccountId(3)) && d.has_password(AccountId(1)));
    assert_eq!(d.account_by_name("carol").unwrap().id, AccountId(3));
    assert_eq!(now(d.set_quota("carol", None, Some(9))).unwrap().quota_messages, Some(9));
    assert_eq!(now(d.set_message_octets_max("carol", Some(7))).unwrap().message_octets_max, Some(7));
    assert_eq!(now(d.set_display_name("carol", "C")).unwrap().display_name, "C");
    let version = d.version();
    now(d.set_display_name("carol", "C")).unwrap();
    assert_eq!(d.version(), version, "no change, no commit");

    now(d.add_alias("only@example.test", &["carol@example.test"])).unwrap();
    now(d.add_alias("two@example.test", &["carol+x@example.test", "ann@example.test"])).unwrap();
    now(d.set_catch_all("example.test", Some("carol@example.test"))).unwrap();
    let removed = now(d.remove_account("Carol@example.test")).unwrap();
    assert_eq!(removed.account, AccountId(3));
    assert_eq!(removed.aliases_removed, [address("only@example.test")]);
    assert_eq!(removed.aliases_changed, [address("two@example.test")]);
    assert_eq!(removed.catch_alls_cleared, ["example.test"]);
    refused(now(d.remove_account("carol")), "no account carol");
    // The id is not given again, also not after a restart.
    let again = world.another();
    assert_eq!(now(again.add_account(new("carol@example.test"))).unwrap().id, AccountId(4));
    assert!(!again.has_password(AccountId(4)));
}

#[test]
fn bare_names_need_one_domain_or_a_default() {
    let world = World::small();
    let d = &world.directory;
    assert_eq!(d.account_by_name("ANN").unwrap().id, AccountId(1));
    now(d.add_domain(NewDomain::named("other.test"))).unwrap();
    assert!(d.account_by_name("ann").is_none());
    refused(now(d.set_enabled("ann", false)), "several domains");
    refused(now(d.set_enabled("carol@example.test", false)), "no account carol@example.test");
    now(d.set_enabled("ann@example.test", false)).unwrap();
}

#[test]
fn renamed_accounts_keep_id_and_password() {
    let world = World::small();
    let d = &world.directory;
    refused(now(d.rename_account("ann", "bob@example.test", false)), "is taken");
    assert_eq!(
        now(d.rename_account("ann", "Ann@example.test", true)).unwrap().address,
        address("Ann@example.test")
    );
    assert!(d.aliases().is_empty());
    assert_eq!(now(d.rename_account("ann", "anna@example.test", true)).unwrap().id, AccountId(1));
    assert!(d.account_by_name("ann").is_none() && d.account_by_name("anna").is_some());
    now(d.add_alias("info@example.test", &["bob+info@example.test", "x@elsewhere.test"])).unwrap();
    now(d.set_catch_all("example.test", Some("bob@example.test"))).unwrap();
    now(d.rename_account("bob", "rob@example.test", false)).unwrap();
    assert_eq!(
        d.alias("info@example.test").unwrap().targets,
        [address("rob+info@example.test"), address("x@elsewhere.test")]
    );
    assert_eq!(d.domain("example.test").unwrap().catch_all, Some(address("rob@example.test")));
    assert!(d.owns(AccountId(1), &address("ann@example.test")));
    let again = world.another();
    assert!(again.owns(AccountId(1), &address("ann@example.test")) && again.has_password(AccountId(1)));
}

#[test]
fn aliases_lead_somewhere_and_never_back() {
    let world = World::small();
    let d = &world.directory;
    refused(now(d.add_alias("a@example.test", &[])), "at least one target");
    refused(now(d.add_alias("ann@example.test", &["bob@example.test"])), "is taken");
    refused(now(d.add_alias("a@elsewhere.test", &["bob@example.test"])), "no domain elsewhere.test");
    refused(now(d.add_alias("a@example.test", &["carol@example.test"])), "add that first");
    refused(now(d.add_alias("a@example.test", &["a@example.test"])), "a@example.test → a@example.test");
    now(d.add_alias("a@example.test", &["ann@example.test"])).unwrap();
    now(d.add_alias("b@example.test", &["a@example.test"])).unwrap();
    refused(
        now(d.set_alias_targets("a@example.test", &["bob@example.test", "b@example.test"])),
        "a@example.test → b@example.test → a@example.test",
    );
    refused(now(d.set_alias_targets("c@example.test", &["ann@example.test"])), "no alias c@example.test");
    let changed =
        now(d.set_alias_targets("A@example.test", &["bob@example.test", "bob@example.test"])).unwrap();
    assert_eq!((changed.address, changed.targets.len()), (address("a@example.test"), 1));
    let many: Vec<String> = (0..101).map(|n| format!("u{n}@elsewhere.test")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    refused(now(d.add_alias("c@example.test", &many)), "101 targets");
    let mut last = "b@example.test".to_owned();
    let deep = (0..20).find(|n| {
        let next = format!("deep{n}@example.test");
        let outcome = now(d.add_alias(&next, &[&last]));
        last = next;
        outcome == Err(DirectoryError::AliasTooDeep)
    });
    assert!(deep.is_some());
    now(d.remove_alias("a@example.test")).unwrap();
    refused(now(d.remove_alias("a@example.test")), "no alias a@example.test");
    assert_eq!(d.alias("B@example.test").unwrap().targets, [address("a@example.test")]);
}

#[test]
fn passwords_are_checked_before_they_are_set() {
    let world = World::small();
    let d = &world.directory;
    let long = "x".repeat(1025);
    for (password, words) in [
        (NewPassword::Plain(String::new()), "is empty"),
        (NewPassword::Plain(long), "more than 1024"),
        (NewPassword::Plain("a\0b".into()), "control characters"),
        (NewPassword::Plain("a\u{202e}b".into()), "control characters"),
        (NewPassword::Hash("{SSHA}".into()), "hash is damaged"),
        (NewPassword::Hash("{PLAIN}".into()), "is empty"),
        (NewPassword::Hash("secret".into()), "hash is damaged"),
    ] {
        refused(now(d.set_password("ann", password)), words);
    }
    refused(now(d.set_password("carol", NewPassword::None)), "no account carol");
    now(d.set_password("ann", NewPassword::None)).unwrap();
    assert!(!d.has_password(AccountId(1)));
    let strict = World::small_with(yubin_directory::DirectoryOptions {
        password_chars_min: 3,
        ..yubin_directory::DirectoryOptions::dev()
    });
    refused(now(strict.directory.set_password("ann", NewPassword::Plain("éé".into()))), "fewer than 3");
    world.jobs.stopped.store(1, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(now(d.set_password("ann", NewPassword::Plain("x".into()))), Err(DirectoryError::Stopping));
    assert!(!format!("{:?}", NewPassword::Plain("secret".into())).contains("secret"));
}

#[test]
fn an_account_is_made_public_and_private_again() {
    let world = World::small();
    let (d, ann) = (&world.directory, AccountId(1));
    assert!(!d.is_public(ann));
    now(d.set_public("ann", true)).unwrap();
    assert!(d.is_public(ann) && world.another().is_public(ann) && !d.is_public(AccountId(2)));
    let version = d.version();
    now(d.set_public("ann", true)).unwrap();
    assert_eq!(d.version(), version);
    now(d.set_public("ann", false)).unwrap();
    assert!(!d.is_public(ann) && !world.another().is_public(ann));
    now(d.set_public("ann", true)).unwrap();
    now(d.remove_account("ann")).unwrap();
    assert!(!d.is_public(ann) && !world.another().is_public(ann));
    refused(now(d.set_public("nobody", true)), "nobody");
}
