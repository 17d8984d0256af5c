//! Answers our SMTP client with arbitrary octets, cut into arbitrary segments: no panic, no endless loop, no line end inside a command, and one
//! result for each recipient of each message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use yubin_base::Address;
use yubin_smtp::{
    client::{Client, ClientOptions, Credentials, Outgoing, Step, TlsUse},
    envelope::{Envelope, ForwardPath, MailFrom, RcptTo},
};

const RECIPIENTS: usize = 3;

fuzz_target!(|data: &[u8]| {
    let Some((setup, input)) = data.split_first() else { return };
    let mut client = Client::new(ClientOptions {
        name: "mail.example.test".into(),
        tls: [TlsUse::Never, TlsUse::IfOffered, TlsUse::Required, TlsUse::IfOffered][usize::from(setup & 3)],
        tls_active: setup & 4 != 0,
        credentials: (setup & 8 != 0).then(|| Credentials {
            user: "relay".into(),
            password: "secret".into(),
            nonce: b"0123456789".to_vec(),
        }),
    });
    let segment = [1, 7, 61, usize::MAX][usize::from(setup >> 6)];
    let (mut buffer, mut out) = (Vec::new(), Vec::new());
    let (mut sent, mut told) = (0, 0);
    'session: for octets in input.chunks(segment) {
        buffer.extend_from_slice(octets);
        loop {
            let (used, mut step) = client.receive(&buffer, &mut out);
            buffer.drain(..used);
            loop {
                step = match step {
                    Step::Read => break,
                    Step::StartTls => {
                        buffer.clear();
                        client.tls_started(&mut out)
                    }
                    Step::Body => {
                        client.body(b".\r\n", &mut out);
                        client.body_end(&mut out)
                    }
                    Step::Ready if client.takes_more() && sent < 20 => {
                        told += client.take_results().len();
                        sent += 1;
                        client.send(message(), &mut out)
                    }
                    Step::Ready => {
                        told += client.take_results().len();
                        client.quit(&mut out)
                    }
                    Step::Close => break 'session,
                };
            }
            if used == 0 {
                break;
            }
        }
    }
    client.lost("the input ended");
    told += client.take_results().len();
    assert_eq!(told, sent * RECIPIENTS);
    assert!(!out.windows(2).any(|two| two[1] == b'\n' && two[0] != b'\r'), "a bare LF went out");
});

fn message() -> Outgoing {
    let recipient = |name: &str| RcptTo {
        forward_path: ForwardPath::Mailbox(Address::new(name, "far.test").expect("an address")),
        original: String::new(),
        notify: None,
        orcpt: None,
    };
    let mail = MailFrom { reverse_path: Address::new("ann", "example.test"), ..MailFrom::default() };
    Outgoing {
        envelope: Envelope { mail, recipients: ["bob", "eve", "山"].map(recipient).to_vec() },
        size_octets: 3,
        eight_bit: false,
        header_utf8: false,
        require_tls: false,
    }
}
