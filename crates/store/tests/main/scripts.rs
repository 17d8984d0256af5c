//! Sieve scripts: the rules of RFC 5804, kept over a restart.

use yubin_store::{ScriptError, limits};

use crate::support::*;

fn put(world: &World, name: &str, text: &str) {
    run(world.ann.put_script(name, text, false, NOW)).unwrap();
}

fn activate(world: &World, name: Option<&str>) -> Result<(), ScriptError> {
    run(world.ann.activate_script(name, NOW)).map(drop)
}

fn delete(world: &World, name: &str) -> Result<(), ScriptError> {
    run(world.ann.delete_script(name, NOW)).map(drop)
}

fn rename(world: &World, old: &str, new: &str) -> Result<(), ScriptError> {
    run(world.ann.rename_script(old, new, NOW)).map(drop)
}

/// Names with sizes, the active one marked.
fn listed(world: &World) -> Vec<String> {
    let state = world.ann.state();
    let active = |name: &String| if state.active_script.as_deref() == Some(name) { "*" } else { "" };
    state.scripts.iter().map(|(name, octets)| format!("{name}{} {octets}", active(name))).collect()
}

#[test]
fn scripts_are_kept() {
    let mut world = world();
    put(&world, "休暇", "keep;");
    put(&world, "a", "discard;");
    put(&world, "a", "stop;");
    activate(&world, Some("休暇")).unwrap();
    for _ in 0..2 {
        assert_eq!(listed(&world), ["a 5", "休暇* 5"]);
        assert_eq!(run(world.ann.script("a")), Ok("stop;".into()));
        world.restart();
    }
}

#[test]
fn the_active_script_cannot_be_deleted() {
    let mut world = world();
    run(world.ann.put_script("a", "keep;", true, NOW)).unwrap();
    assert_eq!(delete(&world, "a"), Err(ScriptError::Active));
    activate(&world, None).unwrap();
    delete(&world, "a").unwrap();
    world.restart();
    assert!(listed(&world).is_empty());
    assert_eq!(run(world.ann.script("a")), Err(ScriptError::NoScript));
}

#[test]
fn a_renamed_script_goes_on_running() {
    let mut world = world();
    put(&world, "a", "keep;");
    put(&world, "b", "stop;");
    activate(&world, Some("a")).unwrap();
    assert_eq!(rename(&world, "a", "b"), Err(ScriptError::ScriptExists));
    rename(&world, "a", "c").unwrap();
    world.restart();
    assert_eq!(listed(&world), ["b 5", "c* 5"]);
}

#[test]
fn what_is_not_there() {
    let world = world();
    assert_eq!(delete(&world, "a"), Err(ScriptError::NoScript));
    assert_eq!(activate(&world, Some("a")), Err(ScriptError::NoScript));
    assert_eq!(rename(&world, "a", "b"), Err(ScriptError::NoScript));
}

#[test]
fn limits_hold() {
    let world = world();
    let put = |name: &str, text: &str| run(world.ann.put_script(name, text, false, NOW)).map(drop);
    for bad in ["", "a\nb", "a\0", "\u{2028}", &"n".repeat(limits::SCRIPT_NAME_OCTETS + 1)] {
        assert_eq!(put(bad, "keep;"), Err(ScriptError::BadName), "{bad:?}");
    }
    assert_eq!(put("a", &" ".repeat(limits::SCRIPT_OCTETS + 1)), Err(ScriptError::TooLong));
    put("../../a", &" ".repeat(limits::SCRIPT_OCTETS)).unwrap();
    for number in 1..limits::SCRIPTS_PER_ACCOUNT {
        put(&number.to_string(), "keep;").unwrap();
    }
    assert_eq!(put("more", "keep;"), Err(ScriptError::TooMany));
    put("1", "stop;").unwrap();
}

#[test]
fn a_change_of_nothing_takes_no_modseq() {
    let world = world();
    let before = world.ann.state().modseq;
    activate(&world, None).unwrap();
    assert_eq!(world.ann.state().modseq, before);
}

#[test]
fn rules_remember_for_a_while() {
    let mut world = world();
    let (one, two) = ([1; 16], [2; 16]);
    run(world.ann.remember(&[(one, NOW.plus_ms(1_000))], NOW)).unwrap();
    world.restart();
    let remembers =
        |world: &World, id, after_ms| run(world.ann.remembers(&id, NOW.plus_ms(after_ms))).unwrap();
    assert!(remembers(&world, one, 999) && !remembers(&world, one, 1_000) && !remembers(&world, two, 0));
    run(world.ann.remember(&[(two, NOW.plus_ms(9_000))], NOW.plus_ms(2_000))).unwrap();
    assert!(!remembers(&world, one, 0), "what is over is forgotten when something new comes");
    assert!(remembers(&world, two, 2_000));
}
