//! What the tests find. Each collects values and holds them against the keys; see `program::Test` for the RFCs.

use yubin_formats::mail;

use super::{Machine, Step, actions::normal_flags, dates::Moment, fail};
use crate::{
    Tracked,
    compare::{self, MatchType},
    compile::regex_of,
    limits,
    program::{AddressPart, BodyKind, DuplicateId, Index, Test, Text, Wanted, Zone},
};

impl Machine<'_> {
    pub(super) fn test(&mut self, test: &Test) -> Step<bool> {
        match test {
            Test::Constant(value) => {
                let value = *value;
                self.explain(|| value.to_string());
                Ok(value)
            }
            Test::Exists(names) => {
                let names = self.expand_all(names)?;
                self.charge(self.header.steps() * names.len() as u64)?;
                let missing = names.iter().find(|name| !self.header.exists(name)).cloned();
                self.explain(|| match &missing {
                    Some(name) => format!("exists: there is no {name}"),
                    None => "exists: all are there".into(),
                });
                Ok(missing.is_none())
            }
            Test::Size { over, octets } => {
                let size = self.scene.octets;
                let found = if *over { size > *octets } else { size < *octets };
                self.explain(|| {
                    format!("size: {size} octets, {} {octets}: {found}", if *over { "over" } else { "under" })
                });
                Ok(found)
            }
            Test::Header { names, index, wanted } => {
                let mut values = Vec::new();
                for name in self.expand_all(names)? {
                    self.charge(self.header.steps())?;
                    values.extend(chosen(self.header.values(&name), *index));
                }
                self.compare("header", values, wanted)
            }
            Test::Address { part, names, index, wanted } => {
                let mut values = Vec::new();
                for name in self.expand_all(names)? {
                    self.charge(self.header.steps())?;
                    for raw in chosen(self.header.raw(&name), *index) {
                        let addresses = mail::parse_addresses(raw);
                        let mailboxes = addresses.iter().filter_map(|address| address.mailbox());
                        values.extend(mailboxes.filter_map(|mailbox| {
                            address_part(*part, &lossy(&mailbox.local), &lossy(&mailbox.domain))
                        }));
                    }
                }
                self.compare("address", values, wanted)
            }
            Test::Envelope { part, parts, wanted } => {
                let mut values = Vec::new();
                for name in self.expand_all(parts)? {
                    let address = match name.to_ascii_lowercase().as_str() {
                        "from" => self.scene.envelope_from,
                        "to" => Some(self.scene.envelope_to),
                        _ => continue,
                    };
                    match address {
                        Some(address) => {
                            values.extend(address_part(*part, address.local(), address.domain()))
                        }
                        // RFC 5228 §5.4: the null reverse path is the empty string, whichever part is asked for.
                        None => values.push(String::new()),
                    }
                }
                self.compare("envelope", values, wanted)
            }
            Test::Body { kind, wanted } => {
                let values = self.body(kind)?;
                self.compare("body", values, wanted)
            }
            Test::Environment { item, wanted } => {
                let item = self.expand(item)?.to_ascii_lowercase();
                let found = self.scene.environment.iter().find(|(name, _)| *name == item);
                // RFC 5183 §4: an unknown item fails, silently.
                self.compare(
                    "environment",
                    found.map(|(_, value)| value.clone()).into_iter().collect(),
                    wanted,
                )
            }
            Test::String { sources, wanted } => {
                let mut values = self.expand_all(sources)?;
                if matches!(wanted.kind, MatchType::Count(_)) {
                    values.retain(|value| !value.is_empty()); // RFC 5229 §5
                }
                self.compare("string", values, wanted)
            }
            Test::HasFlag { variables, wanted } => {
                let values = match variables.as_slice() {
                    [] => self.flags.clone(),
                    names => normal_flags(names.iter().map(|name| self.variable(name).to_owned())),
                };
                self.compare("hasflag", values, wanted)
            }
            Test::Date { field, zone, part, index, wanted } => {
                let values = self.date(field.as_ref(), *zone, part, *index)?;
                self.compare("date", values, wanted)
            }
            Test::MailboxExists(names) => {
                let names = self.expand_all(names)?;
                let found = names.iter().all(|name| self.scene.world.mailbox_exists(name));
                self.explain(|| format!("mailboxexists: {found}"));
                Ok(found)
            }
            Test::MailboxIdExists(ids) => {
                let ids = self.expand_all(ids)?;
                let found = ids.iter().all(|id| self.scene.world.mailbox_id_exists(id));
                self.explain(|| format!("mailboxidexists: {found}"));
                Ok(found)
            }
            Test::SpecialUseExists { mailbox, uses } => {
                let mailbox = mailbox.as_ref().map(|name| self.expand(name)).transpose()?;
                let uses = self.expand_all(uses)?;
                let found =
                    uses.iter().all(|r#use| self.scene.world.special_use_exists(mailbox.as_deref(), r#use));
                self.explain(|| format!("specialuse_exists: {found}"));
                Ok(found)
            }
            Test::Spam { percent, wanted } => {
                // RFC 5235 §3.2: 0 is "not tested"; 1 to 10, or 1 to 100 under :percent.
                let score = self.scene.spam_percent.map(|score| score.min(100));
                let value = match (score, *percent) {
                    (None, false) => 0,
                    (None, true) => 0,
                    (Some(score), true) => score,
                    (Some(score), false) => 1 + score.min(99) / 10,
                };
                self.compare("spamtest", vec![value.to_string()], wanted)
            }
            Test::Virus { wanted } => {
                let value = self.scene.virus.unwrap_or(0).min(5);
                self.compare("virustest", vec![value.to_string()], wanted)
            }
            Test::Duplicate { handle, id, seconds, last } => self.duplicate(handle, id, *seconds, *last),
        }
    }

    /// Holds values against keys. RFC 5228 §2.7.1: one pair that fits is enough.
    fn compare(&mut self, test: &str, values: Vec<String>, wanted: &Wanted) -> Step<bool> {
        let found = self.satisfied(&values, wanted)?;
        self.explain(|| match &found {
            Some((value, key)) => format!("{test}: {:?} fits {:?}", shortened(value), shortened(key)),
            None => {
                let values: Vec<&str> = values.iter().take(3).map(|value| shortened(value)).collect();
                format!("{test}: nothing fits; found {values:?}")
            }
        });
        Ok(found.is_some())
    }

    pub(super) fn satisfied(&mut self, values: &[String], wanted: &Wanted) -> Step<Option<(String, String)>> {
        let keys = self.expand_all(&wanted.keys)?;
        if let MatchType::Count(relation) = wanted.kind {
            let holds = |key: &&String| compare::has_count(relation, wanted.comparator, values.len(), key);
            return Ok(keys.iter().find(holds).map(|key| (values.len().to_string(), key.clone())));
        }
        for value in values {
            for (number, key) in keys.iter().enumerate() {
                self.charge(1 + value.len() as u64 / 1_024)?;
                if self.fits(value, key, number, wanted)? {
                    return Ok(Some((value.clone(), key.clone())));
                }
            }
        }
        Ok(None)
    }

    fn fits(&mut self, value: &str, key: &str, number: usize, wanted: &Wanted) -> Step<bool> {
        let comparator = wanted.comparator;
        let taken = match wanted.kind {
            MatchType::Is => return Ok(compare::is(comparator, value, key)),
            MatchType::Contains => return Ok(compare::contains(comparator, value, key)),
            MatchType::Value(relation) => return Ok(compare::has_value(relation, comparator, value, key)),
            MatchType::Count(_) => return Ok(false),
            MatchType::Matches => {
                // Singles may make it cost the text times the pattern.
                let times = if key.contains('?') { key.len() as u64 } else { 0 };
                self.charge(value.len() as u64 * times / 1_024)?;
                compare::matches(comparator, value, key)
            }
            MatchType::Regex => {
                let made;
                let regex = match wanted.regexes.get(number) {
                    Some(regex) => regex,
                    None => {
                        self.charge(100)?;
                        made = match regex_of(key, comparator) {
                            Ok(regex) => regex,
                            Err(error) => return fail(error),
                        };
                        &made
                    }
                };
                let value =
                    value.get(..value.floor_char_boundary(limits::REGEX_VALUE_OCTETS)).unwrap_or(value);
                self.charge(value.len() as u64 / 4)?;
                regex.captures(value).map(|captures| {
                    captures.iter().map(|part| part.map_or("", |part| part.as_str()).to_owned()).collect()
                })
            }
        };
        let Some(taken) = taken else { return Ok(false) };
        if let Some(frame) = self.frames.last_mut() {
            frame.taken = taken;
        }
        Ok(true)
    }

    fn body(&mut self, kind: &BodyKind) -> Step<Vec<String>> {
        let body = self.scene.body;
        Ok(match kind {
            BodyKind::Raw => vec![body.raw.clone()],
            BodyKind::Text => {
                let texts = body.parts.iter().filter(|part| part.content_type.starts_with("text/"));
                texts
                    .map(|part| match part.content_type.as_str() {
                        "text/html" => mail::html_to_text(&part.text),
                        _ => part.text.clone(),
                    })
                    .collect()
            }
            BodyKind::Content(types) => {
                let types = self.expand_all(types)?;
                let wanted = |part: &&crate::BodyPart| {
                    types.iter().any(|r#type| is_of_type(&part.content_type, r#type))
                };
                body.parts.iter().filter(wanted).map(|part| part.text.clone()).collect()
            }
        })
    }

    fn date(
        &mut self,
        field: Option<&Text>,
        zone: Zone,
        part: &Text,
        index: Option<Index>,
    ) -> Step<Vec<String>> {
        let part = self.expand(part)?;
        let local = self.scene.zone_minutes;
        let zone_of = |original: i32| match zone {
            Zone::Local => local,
            Zone::Original => original,
            Zone::Fixed(minutes) => minutes,
        };
        let Some(field) = field else {
            let now = i64::try_from(self.scene.now.0 / 1_000).unwrap_or(i64::MAX);
            let moment = Moment { unix_seconds: now, zone_minutes: zone_of(local) };
            return Ok(moment.part(&part).into_iter().collect());
        };
        let name = self.expand(field)?;
        self.charge(self.header.steps())?;
        let first = index.or(Some(Index { number: 1, last: false }));
        let raw = chosen(self.header.raw(&name), first);
        let dates = raw.into_iter().filter_map(|value| {
            // Received has its date behind the last semicolon (RFC 5321 §4.4).
            let date =
                value.iter().rposition(|c| *c == b';').and_then(|at| value.get(at + 1..)).unwrap_or(value);
            let date = mail::parse_date(date)?;
            Moment { unix_seconds: date.unix_seconds, zone_minutes: zone_of(date.zone_minutes) }.part(&part)
        });
        Ok(dates.collect())
    }

    fn duplicate(&mut self, handle: &Text, id: &DuplicateId, seconds: u64, last: bool) -> Step<bool> {
        let handle = self.expand(handle)?;
        let id = match id {
            DuplicateId::UniqueId(id) => Some(self.expand(id)?),
            DuplicateId::Header(name) => {
                let name = self.expand(name)?;
                self.charge(self.header.steps())?;
                self.header.values(&name).into_iter().next()
            }
        };
        // RFC 7352 §3.1: without the field there is nothing to compare.
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            self.explain(|| "duplicate: the message has no id".into());
            return Ok(false);
        };
        let id = format!("{handle}\0{id}");
        let again = self.tracked.iter().any(|tracked| tracked.id == id);
        let found = again || self.scene.world.seen_before(&id);
        if !again && (!found || last) && self.tracked.len() < limits::ACTIONS {
            self.tracked.push(Tracked { id, seconds });
        }
        self.explain(|| format!("duplicate: {found}"));
        Ok(found)
    }
}

/// RFC 5260 §6: one of several.
fn chosen<T>(values: Vec<T>, index: Option<Index>) -> Vec<T> {
    let Some(Index { number, last }) = index else { return values };
    let at = match last {
        false => number.checked_sub(1),
        true => values.len().checked_sub(number),
    };
    at.and_then(|at| values.into_iter().nth(at)).into_iter().collect()
}

/// RFC 5228 §2.7.4 and RFC 5233 §4; nothing when the address has no such part.
fn address_part(part: AddressPart, local: &str, domain: &str) -> Option<String> {
    Some(match part {
        AddressPart::All if domain.is_empty() => local.to_owned(),
        AddressPart::All => format!("{local}@{domain}"),
        AddressPart::LocalPart => local.to_owned(),
        AddressPart::Domain => domain.to_owned(),
        AddressPart::User => local.split_once('+').map_or(local, |(user, _)| user).to_owned(),
        AddressPart::Detail => local.split_once('+')?.1.to_owned(),
    })
}

/// RFC 5173 §4.2: `text`, `text/plain`, or nothing for all.
fn is_of_type(found: &str, wanted: &str) -> bool {
    let wanted = wanted.to_ascii_lowercase();
    let whole = wanted.is_empty() || found == wanted;
    whole || !wanted.contains('/') && found.split('/').next() == Some(&wanted)
}

fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(120)).unwrap_or_default()
}
