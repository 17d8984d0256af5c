//! Logging in at a smart host: SCRAM-SHA-256 (RFC 5802, RFC 7677), PLAIN (RFC 4616), LOGIN. RFC 4954 for the exchange.
//! Never sends a password without TLS.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::limits;

/// What a smart host knows us by.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
    /// 18 random octets or more for SCRAM, new for each session.
    pub nonce: Vec<u8>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.user)
    }
}

/// An exchange under way.
#[derive(Debug)]
pub(super) struct Login {
    credentials: Credentials,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Everything was said.
    Waiting,
    LoginUser,
    LoginPassword,
    ScramFirst {
        bare: String,
    },
    ScramFinal {
        server_signature: [u8; 32],
    },
    ScramProven,
}

impl Login {
    /// Chooses the strongest mechanism of those offered. Returns the AUTH command without line end.
    pub fn begin(credentials: Credentials, offered: &[String], tls: bool) -> Option<(Self, String)> {
        let has = |name: &str| offered.iter().any(|mechanism| mechanism == name);
        let (state, command) = if has("SCRAM-SHA-256") {
            let nonce = BASE64.encode(&credentials.nonce);
            let user = credentials.user.replace('=', "=3D").replace(',', "=2C");
            let bare = format!("n={user},r={nonce}");
            let first = BASE64.encode(format!("n,,{bare}"));
            (State::ScramFirst { bare }, format!("AUTH SCRAM-SHA-256 {first}"))
        } else if has("PLAIN") && tls {
            let response = format!("\0{}\0{}", credentials.user, credentials.password);
            (State::Waiting, format!("AUTH PLAIN {}", BASE64.encode(response)))
        } else if has("LOGIN") && tls {
            (State::LoginUser, "AUTH LOGIN".to_owned())
        } else {
            return None;
        };
        Some((Self { credentials, state }, command))
    }

    /// Answers a challenge (the text of a 334). Nothing when the server broke the mechanism: the exchange is cancelled.
    pub fn respond(&mut self, challenge: &str) -> Option<String> {
        let challenge = BASE64.decode(challenge.trim()).ok()?;
        match std::mem::replace(&mut self.state, State::Waiting) {
            State::Waiting | State::ScramProven => None,
            State::LoginUser => {
                self.state = State::LoginPassword;
                Some(BASE64.encode(&self.credentials.user))
            }
            State::LoginPassword => Some(BASE64.encode(&self.credentials.password)),
            State::ScramFirst { bare } => self.scram(&bare, &challenge),
            State::ScramFinal { server_signature } => {
                self.proven(&server_signature, &challenge).then(String::new)
            }
        }
    }

    /// 235 came. Tells whether the server may be believed: with SCRAM it has to have proven that it knows the password.
    pub fn succeeded(&mut self, text: &str) -> bool {
        match &self.state {
            State::Waiting | State::ScramProven | State::LoginUser | State::LoginPassword => true,
            State::ScramFirst { .. } => false,
            // RFC 4954 has no place for data in 235, and some servers put it there.
            State::ScramFinal { server_signature } => {
                let signature = *server_signature;
                BASE64.decode(text.trim()).is_ok_and(|octets| self.proven(&signature, &octets))
            }
        }
    }

    fn scram(&mut self, bare: &str, challenge: &[u8]) -> Option<String> {
        let server_first = std::str::from_utf8(challenge).ok()?;
        let field =
            |name: &str| server_first.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let (nonce, salt, iterations) = (field("r")?, field("s")?, field("i")?);
        let ours = bare.rsplit_once("r=")?.1;
        if !nonce.starts_with(ours) || nonce.len() <= ours.len() {
            return None;
        }
        let iterations: u32 = iterations.parse().ok()?;
        if !(4_096..=limits::SCRAM_ITERATIONS).contains(&iterations) {
            return None;
        }
        let mut salted = [0; 32];
        let salt = BASE64.decode(salt).ok()?;
        pbkdf2::pbkdf2_hmac::<Sha256>(self.credentials.password.as_bytes(), &salt, iterations, &mut salted);
        let client_key = hmac(&salted, b"Client Key")?;
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        let without_proof = format!("c=biws,r={nonce}");
        let said = format!("{bare},{server_first},{without_proof}");
        let client_signature = hmac(&stored_key, said.as_bytes())?;
        let proof: Vec<u8> = client_key.iter().zip(client_signature).map(|(a, b)| a ^ b).collect();
        let server_key = hmac(&salted, b"Server Key")?;
        self.state = State::ScramFinal { server_signature: hmac(&server_key, said.as_bytes())? };
        Some(BASE64.encode(format!("{without_proof},p={}", BASE64.encode(proof))))
    }

    fn proven(&mut self, signature: &[u8; 32], server_final: &[u8]) -> bool {
        let said = std::str::from_utf8(server_final).ok().and_then(|text| {
            let value = text.split(',').next()?.strip_prefix("v=")?;
            BASE64.decode(value).ok()
        });
        let right = said.is_some_and(|said| bool::from(said.ct_eq(signature)));
        if right {
            self.state = State::ScramProven;
        }
        right
    }
}

fn hmac(key: &[u8], what: &[u8]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(what);
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(offered: &[&str], tls: bool) -> Option<(Login, String)> {
        let credentials =
            Credentials { user: "user".into(), password: "pencil".into(), nonce: b"nonce".to_vec() };
        let offered: Vec<String> = offered.iter().map(|s| (*s).to_owned()).collect();
        Login::begin(credentials, &offered, tls)
    }

    #[test]
    fn the_strongest_mechanism_is_taken_and_no_password_goes_out_in_the_clear() {
        let command = |offered: &[&str], tls| begin(offered, tls).map(|(_, command)| command);
        assert!(
            command(&["LOGIN", "PLAIN", "SCRAM-SHA-256"], true).unwrap().starts_with("AUTH SCRAM-SHA-256 ")
        );
        assert_eq!(command(&["LOGIN", "PLAIN"], true).as_deref(), Some("AUTH PLAIN AHVzZXIAcGVuY2ls"));
        assert_eq!(command(&["LOGIN"], true).as_deref(), Some("AUTH LOGIN"));
        assert_eq!(command(&["LOGIN", "PLAIN"], false), None);
        assert!(command(&["SCRAM-SHA-256"], false).is_some());
        assert_eq!(command(&["CRAM-MD5"], true), None);
    }

    /// The example of RFC 7677 §3.
    #[test]
    fn scram_is_that_of_rfc_7677() {
        let bare = "n=user,r=rOprNGfwEbeRWgbNEkqO".to_owned();
        let (mut login, _) = begin(&["SCRAM-SHA-256"], true).unwrap();
        login.state = State::ScramFirst { bare };
        let server_first =
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let answer = login.respond(&BASE64.encode(server_first)).unwrap();
        let answer = String::from_utf8(BASE64.decode(answer).unwrap()).unwrap();
        assert_eq!(
            answer,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let proof = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert!(!login.succeeded("OK"), "the server has proven nothing yet");
        assert_eq!(login.respond(&BASE64.encode(proof)).as_deref(), Some(""));
        assert!(login.succeeded("OK"));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_not_believed() {
        let (mut login, _) = begin(&["SCRAM-SHA-256"], true).unwrap();
        assert!(!login.succeeded("OK"));
        assert_eq!(login.respond(&BASE64.encode("r=other,s=AAAA,i=4096")), None);
        let (mut login, _) = begin(&["SCRAM-SHA-256"], true).unwrap();
        let nonce = BASE64.encode("nonce");
        assert_eq!(
            login.respond(&BASE64.encode(format!("r={nonce}x,s=AAAA,i=1"))),
            None,
            "too few iterations"
        );
        let (mut login, _) = begin(&["SCRAM-SHA-256"], true).unwrap();
        login.respond(&BASE64.encode(format!("r={nonce}x,s=AAAA,i=4096"))).unwrap();
        assert_eq!(login.respond(&BASE64.encode("v=AAAA")), None);
    }
}
