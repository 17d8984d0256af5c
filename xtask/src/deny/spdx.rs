//! Licence expressions as SPDX writes them (Annex D of SPDX 2.3), and whether a list of licences satisfies one.

use anyhow::{Result, bail};

/// Whether the allowed licences satisfy the expression: all sides of `AND`, one side of `OR`.
/// A licence `WITH` an exception satisfies where that pair or the plain licence is allowed, since an exception only adds rights.
/// The old spelling `MIT/Apache-2.0` means `OR`.
pub fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = Words { left: spaced.split_whitespace().collect(), allowed };
    words.left.reverse();
    let answer = words.either()?;
    match words.left.pop() {
        None => Ok(answer),
        Some(word) => bail!("unexpected {word:?}"),
    }
}

struct Words<'a> {
    /// What is left to read, the next word last.
    left: Vec<&'a str>,
    allowed: &'a dyn Fn(&str) -> bool,
}

impl Words<'_> {
    /// ```abnf
    /// either = both *("OR" both)
    /// ```
    fn either(&mut self) -> Result<bool> {
        let mut answer = self.both()?;
        while self.take("OR") {
            answer |= self.both()?;
        }
        Ok(answer)
    }

    /// ```abnf
    /// both = one *("AND" one)
    /// ```
    fn both(&mut self) -> Result<bool> {
        let mut answer = self.one()?;
        while self.take("AND") {
            answer &= self.one()?;
        }
        Ok(answer)
    }

    /// ```abnf
    /// one = "(" either ")" / licence ["WITH" exception]
    /// ```
    fn one(&mut self) -> Result<bool> {
        if self.take("(") {
            let answer = self.either()?;
            if !self.take(")") {
                bail!("a parenthesis is left open");
            }
            return Ok(answer);
        }
        let Some(licence) = self.left.pop() else { bail!("it ends too early") };
        if [")", "AND", "OR", "WITH"].contains(&licence) {
            bail!("unexpected {licence:?}");
        }
        if self.take("WITH") {
            let Some(exception) = self.left.pop() else { bail!("it ends too early") };
            return Ok((self.allowed)(licence) || (self.allowed)(&format!("{licence} WITH {exception}")));
        }
        Ok((self.allowed)(licence))
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.left.last() == Some(&word);
        if found {
            self.left.pop();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_judged() {
        let allowed = |licence: &str| ["MIT", "ISC", "Apache-2.0"].contains(&licence);
        for (expression, expected) in [
            ("MIT", Some(true)),
            ("GPL-2.0", Some(false)),
            ("MIT OR GPL-2.0", Some(true)),
            ("GPL-2.0 OR MIT", Some(true)),
            ("MIT AND GPL-2.0", Some(false)),
            ("MIT AND ISC", Some(true)),
            ("MIT AND (GPL-2.0 OR ISC)", Some(true)),
            ("(MIT OR GPL-2.0) AND GPL-3.0", Some(false)),
            ("GPL-2.0 OR MIT AND ISC", Some(true)),
            ("MIT/Apache-2.0", Some(true)),
            ("Apache-2.0 WITH LLVM-exception", Some(true)),
            ("GPL-2.0 WITH Classpath-exception-2.0", Some(false)),
            ("", None),
            ("MIT OR", None),
            ("(MIT", None),
            ("MIT ISC", None),
        ] {
            assert_eq!(satisfied(expression, &allowed).ok(), expected, "{expression}");
        }
    }
}
