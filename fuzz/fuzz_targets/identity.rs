//! Judges a message in two cuttings, which must find the same, against a DNS that answers with the input's own octets; reads every kind of record.
#![no_main]

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    pin::pin,
    sync::atomic::{AtomicU32, Ordering},
    task::{Context, Poll, Waker},
};

use libfuzzer_sys::fuzz_target;
use yubin_base::{
    UnixMs,
    dns::{Answer, DnsError, Lookup, Mx, Resolver, Tlsa},
};
use yubin_filter::{Arrival, Identity, IdentityCheck, dkim::KeyRecord, dmarc::DmarcRecord, spf, without_forged};

const NOW: UnixMs = UnixMs(1_767_225_600_000);
/// More than all limits together let one message ask.
const QUESTIONS_MAX: u32 = 400;

fuzz_target!(|data: &[u8]| {
    let (cut, data) = data.split_first().map_or((1, data), |(cut, rest)| (usize::from(*cut).max(1), rest));
    // What stands behind a line of `%%` is DNS, its records one to a line.
    let at = data.windows(4).position(|w| w == b"\n%%\n").unwrap_or(data.len());
    let (message, dns) = (&data[..at], data.get(at + 4..).unwrap_or_default());
    let records: Vec<Vec<u8>> = dns.split(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect();
    for record in &records {
        let _ = KeyRecord::parse(record);
        let _ = DmarcRecord::parse(record);
        let _ = spf::Record::parse(record);
    }
    let whole = judge(message, message.len().max(1), &records);
    assert_eq!(whole, judge(message, cut, &records), "cutting the message changes what is found");
    if let Some(identity) = whole {
        let field = identity.authentication_results("mx.test");
        let text = String::from_utf8(field).expect("UTF-8");
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(lines.iter().all(|line| !line.contains(['\r', '\n', '\0'])));
        assert!(lines.iter().skip(1).rev().skip(1).all(|line| line.starts_with('\t')), "{text:?}");
    }
    let stripped = without_forged(message, "mx.test");
    assert_eq!(*without_forged(&stripped, "mx.test"), *stripped, "taken out in one go");
});

fn judge(message: &[u8], cut: usize, records: &[Vec<u8>]) -> Option<Identity> {
    let mut check = IdentityCheck::default();
    for piece in message.chunks(cut) {
        check.push(piece).ok()?;
    }
    let domain = records.first().map(|record| String::from_utf8_lossy(record).into_owned()).unwrap_or_default();
    let dns = Dns { records: records.to_vec(), asked: AtomicU32::new(0) };
    let arrival = Arrival {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        helo: "helo.test",
        sender: Some(("sender", &domain)),
        receiver: "mx.test",
        now: NOW,
    };
    let identity = run(check.finish(&dns, arrival));
    assert!(dns.asked.load(Ordering::Relaxed) < QUESTIONS_MAX, "too many questions");
    Some(identity)
}

/// Answers each question by the name's sum, so that the same question has the same answer.
struct Dns {
    records: Vec<Vec<u8>>,
    asked: AtomicU32,
}

impl Dns {
    fn pick(&self, name: &str) -> Lookup<Vec<u8>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let sum: usize = name.bytes().map(usize::from).sum();
        match (sum % 7, self.records.get(sum % self.records.len().max(1))) {
            (0, _) => Err(DnsError::Temporary),
            (1, _) | (_, None) => Err(DnsError::NxDomain { secure: false }),
            (_, Some(record)) => Ok(Answer::insecure(vec![record.clone()])),
        }
    }
}

impl Resolver for Dns {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        self.pick(name)
    }
    async fn a(&self, name: &str) -> Lookup<Ipv4Addr> {
        let found = self.pick(name)?;
        Ok(Answer::insecure(vec![Ipv4Addr::new(192, 0, 2, found.records.len() as u8)]))
    }
    async fn aaaa(&self, name: &str) -> Lookup<Ipv6Addr> {
        self.pick(name).map(|_| Answer::insecure(vec![Ipv6Addr::LOCALHOST]))
    }
    async fn mx(&self, name: &str) -> Lookup<Mx> {
        let found = self.pick(name)?;
        let host = |record: &Vec<u8>| Mx { preference: 1, exchange: String::from_utf8_lossy(record).into_owned() };
        Ok(Answer::insecure(found.records.iter().map(host).collect()))
    }
    async fn ptr(&self, name: &str) -> Lookup<String> {
        let found = self.pick(name)?;
        Ok(Answer::insecure(found.records.iter().map(|record| String::from_utf8_lossy(record).into_owned()).collect()))
    }
    async fn tlsa(&self, _: &str) -> Lookup<Tlsa> {
        Err(DnsError::Permanent)
    }
}

fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
