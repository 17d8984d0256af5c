//! The mechanisms, message by message.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use yubin_base::{
    AccountId, UnixMs,
    sasl::{AuthFailure, Authenticated, Authenticator, SaslContext, SaslExchange, SaslStep},
};
use yubin_directory::{DirectoryOptions, NewPassword};

use crate::world::{World, at, now, old_tls, plain, tls};

const NOW: UnixMs = UnixMs(1_000_000);

fn ann() -> SaslStep {
    SaslStep::Done(Ok(Authenticated { account: AccountId(1), name: "ann@example.test".into() }))
}

/// Whatever the delay: it grows with the failures of a name, and `login.rs` looks at that.
fn refused() -> SaslStep {
    SaslStep::Done(Err(AuthFailure::Refused { delay_ms: 500 }))
}

fn malformed() -> SaslStep {
    SaslStep::Done(Err(AuthFailure::Malformed))
}

fn start(world: &World, mechanism: &str, context: SaslContext) -> Box<dyn SaslExchange> {
    world.directory.start(mechanism, context).unwrap_or_else(|error| panic!("{mechanism}: {error:?}"))
}

fn step(exchange: &mut dyn SaslExchange, response: impl AsRef<[u8]>) -> SaslStep {
    match now(exchange.step(response.as_ref(), NOW)) {
        SaslStep::Done(Err(AuthFailure::Refused { .. })) => refused(),
        step => step,
    }
}

#[test]
fn mechanisms_depend_on_the_connection() {
    let world = World::small();
    let allowed = SaslContext { plaintext_allowed: true, ..plain() };
    let both = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"];
    assert_eq!(world.directory.mechanisms(&tls()), both);
    assert_eq!(world.directory.mechanisms(&old_tls()), both[1..]);
    assert_eq!(world.directory.mechanisms(&allowed), both[1..]);
    assert!(world.directory.mechanisms(&plain()).is_empty());
    let without = World::small_with(DirectoryOptions { scram: false, ..DirectoryOptions::dev() });
    assert_eq!(without.directory.mechanisms(&tls()), both[2..]);
    let error = |world: &World, mechanism: &str, context| world.directory.start(mechanism, context).err();
    for mechanism in both {
        assert_eq!(error(&world, mechanism, plain()), Some(AuthFailure::TlsRequired));
        assert_eq!(error(&world, &mechanism.to_lowercase(), tls()), None);
    }
    assert_eq!(error(&world, "CRAM-MD5", tls()), Some(AuthFailure::UnknownMechanism));
    assert_eq!(error(&world, "SCRAM-SHA-256-PLUS", old_tls()), Some(AuthFailure::UnknownMechanism));
    assert_eq!(error(&without, "SCRAM-SHA-256", tls()), Some(AuthFailure::UnknownMechanism));
    assert!(world.directory.server_first("login") && !world.directory.server_first("PLAIN"));
}

#[test]
fn plain_messages() {
    let world = World::small();
    let long = format!("\0ann\0{}", "x".repeat(5000));
    for (n, (message, answer)) in [
        ("\0ann\0pencil", ann()),
        ("\0ann@example.test\0pencil", ann()),
        ("ann\0ann@example.test\0pencil", ann()),
        ("ANN@EXAMPLE.TEST\0ann\0pencil", ann()),
        ("bob\0ann\0pencil", refused()),
        ("x\0ann\0pencil", refused()),
        ("\0ann\0wrong", refused()),
        ("\0carol\0pencil", refused()),
        ("", malformed()),
        ("\0", malformed()),
        ("\0ann", malformed()),
        ("\0ann\0", malformed()),
        ("\0\0pencil", malformed()),
        ("\0ann\0pencil\0", malformed()),
        ("\0ann\0pen\0cil", malformed()),
        ("ann", malformed()),
        (&long, malformed()),
    ]
    .into_iter()
    .enumerate()
    {
        let mut exchange = start(&world, "PLAIN", at(tls(), &format!("198.51.100.{n}"), 0));
        assert_eq!(step(exchange.as_mut(), message), answer, "{message:?}");
        assert_eq!(step(exchange.as_mut(), "\0ann\0pencil"), malformed(), "one message only");
    }
    assert_eq!(step(start(&world, "PLAIN", tls()).as_mut(), b"\0\xff\0pencil"), malformed());
}

#[test]
fn login_messages() {
    let world = World::small();
    let asked = |text: &str| SaslStep::Challenge(text.as_bytes().to_vec());
    for (n, (steps, answer)) in [
        (vec!["", "ann", "pencil"], ann()),
        (vec!["ann", "pencil"], ann()),
        (vec!["", "ann", "wrong"], refused()),
        (vec!["", "carol", "pencil"], refused()),
        (vec!["", "ann", ""], refused()),
        (vec!["", ""], malformed()),
    ]
    .into_iter()
    .enumerate()
    {
        let mut exchange = start(&world, "LOGIN", at(tls(), &format!("198.51.100.{n}"), 0));
        let (last, before) = steps.split_last().unwrap();
        for response in before {
            let expected = if response.is_empty() { "Username:" } else { "Password:" };
            assert_eq!(step(exchange.as_mut(), response), asked(expected));
        }
        assert_eq!(step(exchange.as_mut(), last), answer, "{steps:?}");
        assert_eq!(step(exchange.as_mut(), "x"), malformed());
    }
}

/// A client of its own, so that both sides are not wrong in the same way.
struct Client {
    header: &'static str,
    binding: Vec<u8>,
    user: &'static str,
    password: &'static str,
}

impl Client {
    fn new(user: &'static str, password: &'static str) -> Self {
        Self { header: "n,,", binding: vec![], user, password }
    }

    fn bound(user: &'static str, password: &'static str) -> Self {
        Self { header: "p=tls-exporter,,", binding: vec![9; 32], user, password }
    }

    fn bare(&self) -> String {
        format!("n={},r=clientnonce", self.user)
    }

    /// The final message, and the server signature to expect.
    fn last(&self, server_first: &str) -> (String, String) {
        let mut fields = server_first.split(',');
        let nonce = fields.next().unwrap().strip_prefix("r=").unwrap();
        let salt = BASE64.decode(fields.next().unwrap().strip_prefix("s=").unwrap()).unwrap();
        let iterations: u32 = fields.next().unwrap().strip_prefix("i=").unwrap().parse().unwrap();
        assert!(
            nonce.starts_with("clientnonce") && nonce.len() > 30 && salt.len() == 16 && iterations == 4096
        );
        let mut salted = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(self.password.as_bytes(), &salt, iterations, &mut salted);
        let client_key = mac(&salted, "Client Key");
        let c = BASE64.encode([self.header.as_bytes(), &self.binding].concat());
        let without_proof = format!("c={c},r={nonce}");
        let said = format!("{},{server_first},{without_proof}", self.bare());
        let signature = mac(&Sha256::digest(client_key), &said);
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let server = mac(&mac(&salted, "Server Key"), &said);
        (format!("{without_proof},p={}", BASE64.encode(proof)), format!("v={}", BASE64.encode(server)))
    }

    /// Plays the exchange; `spoil` may change the final message.
    fn play(
        &self,
        world: &World,
        mechanism: &str,
        context: SaslContext,
        spoil: impl Fn(String) -> String,
    ) -> SaslStep {
        let mut exchange = start(world, mechanism, context);
        let first = format!("{}{}", self.header, self.bare());
        let server_first = match step(exchange.as_mut(), first) {
            SaslStep::Challenge(text) => String::from_utf8(text).unwrap(),
            done => return done,
        };
        let (last, expected) = self.last(&server_first);
        match step(exchange.as_mut(), spoil(last)) {
            SaslStep::Challenge(text) => assert_eq!(String::from_utf8(text).unwrap(), expected),
            done => return done,
        }
        step(exchange.as_mut(), "")
    }
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

#[test]
fn scram_exchanges() {
    let world = World::small();
    let (scram, plus) = ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS");
    let y = || Client { header: "y,,", ..Client::new("ann", "pencil") };
    let acting = |header| Client { header, ..Client::new("ann", "pencil") };
    let unique = || Client { header: "p=tls-unique,,", ..Client::bound("ann", "pencil") };
    let other_session = || Client { binding: vec![8; 32], ..Client::bound("ann", "pencil") };
    for (n, (what, client, mechanism, context, answer)) in [
        ("plain", Client::new("ann", "pencil"), scram, tls(), ann()),
        ("full name", Client::new("ann@example.test", "pencil"), scram, tls(), ann()),
        ("old TLS", Client::new("ann", "pencil"), scram, old_tls(), ann()),
        ("bound", Client::bound("ann", "pencil"), plus, tls(), ann()),
        ("wrong password", Client::new("ann", "wrong"), scram, tls(), refused()),
        ("wrong password, bound", Client::bound("ann", "wrong"), plus, tls(), refused()),
        ("unknown user", Client::new("carol", "pencil"), scram, tls(), refused()),
        ("another TLS session", other_session(), plus, tls(), refused()),
        ("another binding type", unique(), plus, tls(), malformed()),
        ("bound without -PLUS", Client::bound("ann", "pencil"), scram, tls(), malformed()),
        ("-PLUS without binding", Client::new("ann", "pencil"), plus, tls(), malformed()),
        ("-PLUS and y", y(), plus, tls(), refused()),
        ("downgrade", y(), scram, tls(), refused()),
        ("no downgrade: nothing was offered", y(), scram, old_tls(), ann()),
        ("as oneself", acting("n,a=ann@example.test,"), scram, tls(), ann()),
        ("as another", acting("n,a=bob,"), scram, tls(), refused()),
    ]
    .into_iter()
    .enumerate()
    {
        let context = at(context, &format!("198.51.100.{n}"), 0);
        assert_eq!(client.play(&world, mechanism, context, |last| last), answer, "{what}");
    }
}

#[test]
fn spoilt_final_messages() {
    let world = World::small();
    type Spoil = fn(String) -> String;
    let table: [(&str, Spoil, SaslStep); 8] = [
        ("an extension is signed", |m| m.replace(",p=", ",x=y,p="), refused()),
        ("the nonce", |m| m.replace("clientnonce", "clientnoncf"), refused()),
        ("the header", |m| m.replace("c=biws", "c=eSws"), refused()),
        ("no proof", |m| m.split(",p=").next().unwrap().to_owned(), malformed()),
        ("a short proof", |m| format!("{},p=AAAA", m.split(",p=").next().unwrap()), malformed()),
        ("no base64", |m| m.replace(",p=", ",p=!"), malformed()),
        ("a mandatory extension", |m| m.replace(",p=", ",m=y,p="), malformed()),
        ("nothing", |_| String::new(), malformed()),
    ];
    for (n, (what, spoil, answer)) in table.into_iter().enumerate() {
        let context = at(tls(), &format!("198.51.100.{n}"), 0);
        assert_eq!(
            Client::new("ann", "pencil").play(&world, "SCRAM-SHA-256", context, spoil),
            answer,
            "{what}"
        );
    }
}

#[test]
fn unknown_users_seem_to_have_a_salt_of_their_own() {
    let world = World::small();
    let challenge = |user: &str, n: u32| {
        let mut exchange = start(&world, "SCRAM-SHA-256", at(tls(), &format!("198.51.100.{n}"), 0));
        match step(exchange.as_mut(), format!("n,,n={user},r=abc")) {
            SaslStep::Challenge(text) => String::from_utf8(text).unwrap(),
            done => panic!("{done:?}"),
        }
    };
    let tail = |text: &str| text.split_once(',').unwrap().1.to_owned();
    let carol = challenge("carol", 1);
    assert_eq!(
        tail(&carol),
        tail(&challenge("CAROL@example.test", 2)),
        "the same each time, in every spelling"
    );
    assert_ne!(carol, challenge("carol", 3), "with a new nonce each time");
    assert_ne!(tail(&carol), tail(&challenge("dave", 4)));
    assert_eq!(carol.len(), challenge("ann", 5).len());
    let again = World { directory: world.another(), engine: world.engine.clone(), jobs: world.jobs.clone() };
    let mut exchange = start(&again, "SCRAM-SHA-256", tls());
    let SaslStep::Challenge(text) = step(exchange.as_mut(), "n,,n=carol,r=abc") else { panic!() };
    assert_eq!(tail(&carol), tail(&String::from_utf8(text).unwrap()), "also after a restart");
}

#[test]
fn scram_keys_appear_with_the_first_plain_login() {
    let world = World::small();
    let hash = NewPassword::Hash("{SSHA}LhKrkM9Fy+zlstjdD7Kv2s6QvhBzYWx0".into());
    now(world.directory.set_password("ann", hash)).unwrap();
    let client = Client::new("ann", "correct horse");
    assert_eq!(client.play(&world, "SCRAM-SHA-256", tls(), |last| last), refused());
    assert_eq!(step(start(&world, "PLAIN", tls()).as_mut(), "\0ann\0correct horse"), ann());
    assert_eq!(client.play(&world, "SCRAM-SHA-256", tls(), |last| last), ann());
}

#[test]
fn what_changes_during_an_exchange_counts() {
    let world = World::small();
    let client = Client::new("ann", "pencil");
    let changed = |last: String| {
        now(world.directory.set_password("ann", NewPassword::Plain("eraser".into()))).unwrap();
        last
    };
    assert_eq!(client.play(&world, "SCRAM-SHA-256", tls(), changed), refused());
    let disabled = |last: String| {
        now(world.directory.set_enabled("ann", false)).unwrap();
        last
    };
    let client = Client::new("ann", "eraser");
    assert_eq!(client.play(&world, "SCRAM-SHA-256", at(tls(), "198.51.100.1", 0), disabled), refused());
}

#[test]
fn scram_guesses_are_throttled() {
    let world = World::small();
    for _ in 0..10 {
        Client::new("ann", "wrong").play(&world, "SCRAM-SHA-256", tls(), |last| last);
    }
    let outcome = Client::new("ann", "pencil").play(&world, "SCRAM-SHA-256", tls(), |last| last);
    assert_eq!(outcome, SaslStep::Done(Err(AuthFailure::Throttled { delay_ms: 8000 })));
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "\0",
        "ann",
        "pencil",
        "n,,",
        "y,,",
        "p=tls-exporter,,",
        "n=",
        "r=",
        "c=",
        "p=",
        ",",
        "=",
        "=2C",
        "m=",
        "a=",
        "biws",
        "x=y",
        "@example.test",
        "é",
        "@",
        "+",
    ]);
    prop_oneof![4 => words.prop_map(|w| w.as_bytes().to_vec()), 1 => prop::collection::vec(any::<u8>(), 0..20)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_message_breaks_a_mechanism(
        which in 0..4_usize,
        messages in prop::collection::vec(prop::collection::vec(piece(), 0..8), 1..5),
    ) {
        thread_local!(static WORLD: World = World::small());
        WORLD.with(|world| {
            let mechanism = world.directory.mechanisms(&tls())[which];
            let mut exchange = start(world, mechanism, tls());
            for message in messages {
                let message = message.concat();
                if let SaslStep::Done(Ok(who)) = step(exchange.as_mut(), &message) {
                    assert!(who.account == AccountId(1) && message.ends_with(b"pencil"));
                }
            }
        });
    }
}
