//! Dates of header fields. RFC 5322 §3.3 and §4.3 (two-digit years, zone names, comments), and the forms of asctime and
//! mailbox files. Never consults a clock.

use yubin_base::calendar;

use super::lex::Lexer;

/// A moment as a header names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    pub unix_seconds: i64,
    /// The zone, in minutes east of UTC.
    pub zone_minutes: i32,
}

impl DateTime {
    /// The day as it is written, in the zone of the header: days since 1970-01-01. What SEARCH SENTON compares.
    pub fn local_day(self) -> i64 {
        (self.unix_seconds + i64::from(self.zone_minutes) * 60).div_euclid(86_400)
    }
}

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// Reads a Date value. The time, its seconds and the zone may be missing; the day, month and year may not.
pub fn parse_date(value: &[u8]) -> Option<DateTime> {
    let mut found = Found::default();
    words(value).iter().for_each(|word| found.take(word));
    found.moment()
}

/// The words of a date, comments and commas left out. White space around a colon joins (RFC 5322 §4.3): `09 : 55`.
fn words(value: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut lexer = Lexer::new(value);
    let mut joins = false;
    while words.len() < 32 {
        while lexer.skip_cfws(None) || lexer.eat(b',') {}
        let mut word = Vec::new();
        lexer.atom(b",()", &mut word);
        if word.is_empty() && lexer.bump().is_none() {
            break;
        }
        joins |= word.starts_with(b":");
        let next_joins = word.ends_with(b":");
        match words.last_mut() {
            Some(last) if joins => last.append(&mut word),
            _ => words.push(word),
        }
        joins = next_joins;
    }
    words
}

#[derive(Default)]
struct Found {
    day: Option<i64>,
    month: Option<i64>,
    year: Option<i64>,
    /// Seconds since midnight.
    time: Option<i64>,
    zone: Option<i32>,
}

impl Found {
    fn take(&mut self, word: &[u8]) {
        if word.contains(&b':') {
            // +09:00 is a zone
            if matches!(word.first(), Some(b'+' | b'-')) && self.zone.is_none() {
                self.zone = zone(word);
            } else {
                self.take_time(word);
            }
        } else if let Some((month, _)) = word
            .get(..3)
            .filter(|_| self.month.is_none() && word.iter().all(u8::is_ascii_alphabetic))
            .and_then(|start| (1..).zip(MONTHS).find(|(_, name)| start.eq_ignore_ascii_case(name)))
        {
            self.month = Some(month);
        } else if word.iter().all(u8::is_ascii_digit) && word.len() <= 4 {
            self.take_number(word);
        } else if word.contains(&b'-') && self.month.is_none() {
            // 17-Jul-1996
            word.split(|&c| c == b'-').for_each(|piece| self.take(piece));
        } else if self.zone.is_none() {
            self.zone = zone(word);
        }
    }
    fn take_number(&mut self, word: &[u8]) {
        let Some(number) = number(word) else { return };
        if self.day.is_none() && word.len() <= 2 {
            self.day = Some(number);
        } else if self.year.is_none() {
            // RFC 5322 §4.3
            self.year = Some(match word.len() {
                1 | 2 if number < 50 => 2000 + number,
                1..=3 => 1900 + number,
                _ => number,
            });
        } else if self.zone.is_none() && word.len() == 4 {
            self.zone = offset(word);
        }
    }
    fn take_time(&mut self, word: &[u8]) {
        let mut pieces = word.split(|&c| c == b':').map(|piece| {
            let digits = piece.iter().position(|c| !c.is_ascii_digit()).unwrap_or(piece.len());
            let (digits, rest) = piece.split_at_checked(digits).unwrap_or((piece, &[]));
            (number(digits), rest)
        });
        let (Some((Some(hour), _)), Some((Some(minute), after))) = (pieces.next(), pieces.next()) else {
            return;
        };
        let (second, after) = match pieces.next() {
            Some((second, after)) => (second.unwrap_or(0), after),
            None => (0, after),
        };
        // 60 is a leap second.
        if self.time.is_none() && hour < 24 && minute < 60 && second <= 60 {
            self.time = Some(hour * 3600 + minute * 60 + second);
            if self.zone.is_none() && !after.is_empty() {
                self.zone = zone(after);
            }
        }
    }
    fn moment(&self) -> Option<DateTime> {
        let (year, month, day) =
            (self.year?, u32::try_from(self.month?).ok()?, u32::try_from(self.day?).ok()?);
        if !(1..=calendar::days_in(year, month)).contains(&day) || !(1..=9999).contains(&year) {
            return None;
        }
        let zone_minutes = self.zone.unwrap_or(0);
        let local = calendar::days_of(year, month, day) * 86_400 + self.time.unwrap_or(0);
        Some(DateTime { unix_seconds: local - i64::from(zone_minutes) * 60, zone_minutes })
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    (!digits.is_empty() && digits.len() <= 4)
        .then(|| digits.iter().fold(0, |n, digit| n * 10 + i64::from(digit.wrapping_sub(b'0'))))
}

/// ```abnf
/// zone     = (FWS ( "+" / "-" ) 4DIGIT) / obs-zone
/// obs-zone = "UT" / "GMT" / "EST" / "EDT" / "CST" / "CDT" / "MST" / "MDT" / "PST" / "PDT" / %d65-73 / …
/// ```
fn zone(word: &[u8]) -> Option<i32> {
    if let Some(sign) = word.iter().position(|c| matches!(c, b'+' | b'-')) {
        // Also GMT+0900 and +09:00.
        let digits: Vec<u8> = word.iter().skip(sign + 1).copied().filter(u8::is_ascii_digit).collect();
        let minutes = offset(&digits)?;
        return Some(if word.get(sign) == Some(&b'-') { -minutes } else { minutes });
    }
    let hours = match word.to_ascii_uppercase().as_slice() {
        b"UT" | b"UTC" | b"GMT" | b"Z" => 0,
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        b"JST" | b"KST" => 9,
        b"CET" | b"MET" | b"BST" => 1,
        b"CEST" | b"MEST" | b"EET" => 2,
        _ => return None,
    };
    Some(hours * 60)
}

/// `hhmm`, or `hh`.
fn offset(digits: &[u8]) -> Option<i32> {
    let (hours, minutes) = match digits.len() {
        1 | 2 => (number(digits)?, 0),
        3 | 4 => {
            let (hours, minutes) = digits.split_at_checked(digits.len() - 2)?;
            (number(hours)?, number(minutes)?)
        }
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some((hours * 60 + minutes) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<(i64, i32)>) {
        let found = parse_date(value.as_bytes()).map(|d| (d.unix_seconds, d.zone_minutes));
        assert_eq!(found, expected, "{value:?}");
    }

    #[test]
    fn dates_are_read_in_all_their_forms() {
        check("Thu, 01 Jan 1970 00:00:00 +0000", Some((0, 0)));
        check("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)", Some((837_595_405, -420)));
        check("Fri, 21 Nov 1997 09:55:06 -0600", Some((880_127_706, -360)));
        check("21 Nov 97 09:55:06 GMT", Some((880_106_106, 0)));
        check(
            "Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)",
            Some((-27_723_480, -210)),
        );
        check("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", Some((880_127_706, -360)));
        check("29 Feb 2024 12:00 +0900", Some((1_709_175_600, 540)));
        check("29 Feb 2023 12:00 +0900", None);
        check("Mon Jan  4 00:00:00 2021", Some((1_609_718_400, 0)));
        check("4 Jan 21 00:00:00 EST", Some((1_609_736_400, -300)));
        check("4 Jan 121 00:00:00", Some((1_609_718_400, 0)));
        check("4 Jan 2021", Some((1_609_718_400, 0)));
        check("4-Jan-2021 00:00:00 JST", Some((1_609_686_000, 540)));
        check("Mon, 4 Jan 2021 00:00:00 GMT+0900", Some((1_609_686_000, 540)));
        check("Mon, 4 January 2021 00:00:00 +09:00", Some((1_609_686_000, 540)));
        check("Sat, 31 Dec 2016 23:59:60 Z", Some((1_483_228_800, 0)));
        check("", None);
        check("nonsense", None);
        check("32 Jan 2021 00:00:00 +0000", None);
        check("1 Jan 2021 25:00:00 +9999", Some((1_609_459_200, 0)));
    }

    #[test]
    fn the_day_is_the_senders() {
        assert_eq!(parse_date(b"4 Jan 2021 01:00 +0900").map(DateTime::local_day), Some(18_631));
        assert_eq!(parse_date(b"3 Jan 2021 23:00 -0900").map(DateTime::local_day), Some(18_630));
    }
}
