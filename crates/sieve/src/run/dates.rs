//! The parts of a date. RFC 5260 §4.2. Calendar arithmetic only; nobody asks what time it is.

use yubin_base::calendar;

/// A moment in a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub unix_seconds: i64,
    pub zone_minutes: i32,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl Moment {
    /// A part by its name; nothing for a name that is none.
    pub fn part(self, name: &str) -> Option<String> {
        let local = self.unix_seconds + i64::from(self.zone_minutes) * 60;
        let (days, seconds) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = calendar::date_of(days);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let weekday = (days + 4).rem_euclid(7);
        Some(match name.to_ascii_lowercase().as_str() {
            "year" => format!("{year:04}"),
            "month" => format!("{month:02}"),
            "day" => format!("{day:02}"),
            "date" => format!("{year:04}-{month:02}-{day:02}"),
            // RFC 5260 §4.2: the modified Julian day, counted from 1858-11-17.
            "julian" => (days + 40_587).to_string(),
            "hour" => format!("{hour:02}"),
            "minute" => format!("{minute:02}"),
            "second" => format!("{second:02}"),
            "time" => format!("{hour:02}:{minute:02}:{second:02}"),
            "iso8601" => {
                let zone = self.zone();
                let (hours, minutes) = zone.split_at(3);
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{hours}:{minutes}")
            }
            "std11" => {
                let weekday = usize::try_from(weekday).ok().and_then(|d| WEEKDAYS.get(d))?;
                let month = MONTHS.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
                let zone = self.zone();
                format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} {zone}")
            }
            "zone" => self.zone(),
            "weekday" => weekday.to_string(),
            _ => return None,
        })
    }

    fn zone(self) -> String {
        let sign = if self.zone_minutes < 0 { '-' } else { '+' };
        let minutes = self.zone_minutes.abs();
        format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_moments() {
        let moment = Moment { unix_seconds: 1_764_068_400, zone_minutes: 540 };
        let check = |part: &str, value: &str| assert_eq!(moment.part(part).as_deref(), Some(value), "{part}");
        check("date", "2025-11-25");
        check("time", "20:00:00");
        check("iso8601", "2025-11-25T20:00:00+09:00");
        check("std11", "Tue, 25 Nov 2025 20:00:00 +0900");
        check("weekday", "2");
        check("zone", "+0900");
        assert_eq!(moment.part("fortnight"), None);
        let begin = Moment { unix_seconds: 0, zone_minutes: -90 };
        assert_eq!(begin.part("std11").as_deref(), Some("Wed, 31 Dec 1969 22:30:00 -0130"));
        assert_eq!(begin.part("julian").as_deref(), Some("40586"));
        let leap = Moment { unix_seconds: 951_782_400, zone_minutes: 0 };
        assert_eq!(leap.part("date").as_deref(), Some("2000-02-29"));
    }
}
