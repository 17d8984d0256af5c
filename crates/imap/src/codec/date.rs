//! Dates and date-times of RFC 9051 §9, by the proleptic Gregorian calendar. Knows no clock and no time zones by name.

use yubin_base::{UnixMs, calendar};

use super::cursor::{Cursor, Parsed, SyntaxError};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

impl Day {
    /// The day of a moment, in UTC.
    pub fn of(moment: UnixMs) -> Self {
        Self(i64::try_from(moment.seconds() / 86_400).unwrap_or(i64::MAX))
    }

    /// A day of the calendar; nothing when there is no such day.
    pub fn new(year: i64, month: u32, day: u32) -> Option<Self> {
        let there_is = (1..=calendar::days_in(year, month)).contains(&day);
        there_is.then(|| Self(calendar::days_of(year, month, day)))
    }

    /// Year, month and day.
    pub fn civil(self) -> (i64, u32, u32) {
        calendar::date_of(self.0)
    }

    /// ```abnf
    /// date = date-text / DQUOTE date-text DQUOTE
    /// date-text = date-day "-" date-month "-" date-year
    /// ```
    pub fn parse(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        let quoted = cursor.eat(b'"');
        let day = date_text(cursor)?;
        if quoted {
            cursor.expect(b'"', "expected a quote after the date")?;
        }
        Ok(day)
    }
}

fn month(name: &str) -> Option<u32> {
    (1..).zip(MONTHS).find(|(_, m)| m.eq_ignore_ascii_case(name)).map(|(n, _)| n)
}

fn date_text(cursor: &mut Cursor<'_>) -> Parsed<Day> {
    let at = cursor.at();
    while cursor.eat(b' ') {}
    let day = cursor.number()?;
    cursor.expect(b'-', "expected - after the day")?;
    let month = month(cursor.span(|c| c.is_ascii_alphabetic(), "expected a month")?);
    cursor.expect(b'-', "expected - after the month")?;
    let year = cursor.number()?;
    month
        .filter(|_| year <= 9999)
        .and_then(|m| Day::new(i64::from(year), m, day))
        .ok_or(SyntaxError { at, what: "there is no such day" })
}

/// ```abnf
/// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
/// ```
/// Moments before 1970 count as 1970.
pub fn date_time(cursor: &mut Cursor<'_>) -> Parsed<UnixMs> {
    let at = cursor.at();
    cursor.expect(b'"', "expected a date and time in quotes")?;
    let day = date_text(cursor)?;
    cursor.sp()?;
    let hour = cursor.number()?;
    cursor.expect(b':', "expected : after the hour")?;
    let minute = cursor.number()?;
    cursor.expect(b':', "expected : after the minute")?;
    let second = cursor.number()?;
    cursor.sp()?;
    let east = cursor.eat(b'+');
    if !east {
        cursor.expect(b'-', "expected + or - before the zone")?;
    }
    let zone = cursor.span(|c| c.is_ascii_digit(), "expected a zone of four digits")?;
    cursor.expect(b'"', "expected a quote after the date and time")?;
    let zone_number: i64 = zone.parse().unwrap_or(i64::MAX);
    if hour > 23 || minute > 59 || second > 60 || zone.len() != 4 || zone_number % 100 > 59 {
        return Err(SyntaxError { at, what: "there is no such time" });
    }
    let offset = (zone_number / 100 * 60 + zone_number % 100) * if east { 60 } else { -60 };
    let seconds = day.0 * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - offset;
    Ok(UnixMs(u64::try_from(seconds).unwrap_or(0) * 1000))
}

/// Writes ` 7-Feb-1994 21:52:25 +0000`, without quotes.
pub fn push_date_time(out: &mut Vec<u8>, moment: UnixMs) {
    // Years have four digits on the wire.
    let seconds = moment.seconds().min(253_402_300_799);
    let (year, month, day) = Day::of(UnixMs(seconds * 1000)).civil();
    let month = MONTHS.get(month as usize - 1).copied().unwrap_or("Jan");
    let two = |n: u64| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
    let [tens, ones] = two(u64::from(day));
    out.extend_from_slice(&[if tens == b'0' { b' ' } else { tens }, ones, b'-']);
    out.extend_from_slice(month.as_bytes());
    out.push(b'-');
    let year = u64::try_from(year).unwrap_or(1970);
    out.extend_from_slice(&two(year / 100));
    out.extend_from_slice(&two(year % 100));
    for (n, separator) in [(seconds / 3600 % 24, b' '), (seconds / 60 % 60, b':'), (seconds % 60, b':')] {
        out.push(separator);
        out.extend_from_slice(&two(n));
    }
    out.extend_from_slice(b" +0000");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_times_are_read_and_written() {
        let check = |text: &str, written: Option<&str>| {
            let moment = date_time(&mut Cursor::new(text.as_bytes())).ok();
            let mut out = Vec::new();
            moment.inspect(|m| push_date_time(&mut out, *m));
            assert_eq!(moment.map(|_| String::from_utf8(out).unwrap()).as_deref(), written, "{text}");
        };
        check("\"17-Jul-1996 02:44:25 -0700\"", Some("17-Jul-1996 09:44:25 +0000"));
        check("\" 1-Jan-2000 00:00:00 +0900\"", Some("31-Dec-1999 15:00:00 +0000"));
        check("\"29-feb-2024 23:59:60 +0000\"", Some(" 1-Mar-2024 00:00:00 +0000"));
        check("\"1-Jan-1960 00:00:00 +0000\"", Some(" 1-Jan-1970 00:00:00 +0000"));
        check("\"31-Dec-9999 23:59:59 +0000\"", Some("31-Dec-9999 23:59:59 +0000"));
        for wrong in [
            "\"29-Feb-2023 00:00:00 +0000\"",
            "\"1-Foo-2000 00:00:00 +0000\"",
            "\"1-Jan-2000 24:00:00 +0000\"",
            "\"1-Jan-2000 00:00:00 +00\"",
            "\"1-Jan-2000\"",
            "1-Jan-2000 00:00:00 +0000",
            "\"1-Jan-99999 00:00:00 +0000\"",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn every_day_is_read_back() {
        for n in (0..2_932_000).step_by(37) {
            let (y, m, d) = Day(n).civil();
            assert_eq!(Day::new(y, m, d), Some(Day(n)));
        }
    }
}
