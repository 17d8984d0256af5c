//! Which header fields a signature covers, and the octets that are signed. RFC 6376 §3.7, §5.4.2.

use yubin_formats::mail::{RawField, fields};

use super::canon::{Form, header_field};

/// The canonical form of the fields that `names` lists: of each name the last field first, then the one before it; a name without a
/// field left stands for its absence (§5.4.2). `own` is the signature field itself with an empty `b=`; it comes last, without its line end.
pub(crate) fn signed_input(form: Form, block: &[u8], names: &[String], own: &[u8]) -> Vec<u8> {
    let all: Vec<RawField<'_>> = fields(block).collect();
    // How many fields, counted from the end, are passed over for each name.
    let mut used: Vec<(&str, usize)> = Vec::new();
    let mut out = Vec::new();
    for name in names {
        let below = match used.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, below)) => below,
            None => {
                used.push((name, all.len()));
                let Some((_, below)) = used.last_mut() else { continue };
                below
            }
        };
        let left = all.get(..*below).unwrap_or_default();
        match left.iter().rposition(|field| field.is(name.as_bytes())) {
            Some(at) => {
                *below = at;
                if let Some(field) = all.get(at) {
                    header_field(form, block.get(field.range.clone()).unwrap_or_default(), &mut out);
                }
            }
            None => *below = 0,
        }
    }
    header_field(form, own, &mut out);
    out.truncate(out.len() - 2);
    out
}

/// The field with the value of its `b=` tag taken out, as §3.5 asks of the signature that is verified. All else stays as it is.
pub(crate) fn without_b(field: &[u8]) -> Vec<u8> {
    let start = memchr::memchr(b':', field).map_or(0, |at| at + 1);
    let mut out = field.get(..start).unwrap_or_default().to_vec();
    let specs = field.get(start..).unwrap_or_default().split(|octet| *octet == b';');
    for (number, spec) in specs.enumerate() {
        if number > 0 {
            out.push(b';');
        }
        let equals = memchr::memchr(b'=', spec).unwrap_or(spec.len());
        if spec.get(..equals).unwrap_or_default().trim_ascii() == b"b" {
            out.extend_from_slice(spec.get(..=equals).unwrap_or(spec));
            // In simple form the last line end belongs to the field, not to the value.
        } else {
            out.extend_from_slice(spec);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_from_below_and_absent_ones_are_nothing() {
        let block = b"A: 1\r\nB: 2\r\nA: 3\r\nC: 4\r\n";
        let names: Vec<String> = ["a", "C", "A", "a", "d", "b"].map(String::from).to_vec();
        let input = signed_input(Form::Relaxed, block, &names, b"DKIM-Signature: v=1; b=\r\n");
        assert_eq!(String::from_utf8(input).unwrap(), "a:3\r\nc:4\r\na:1\r\nb:2\r\ndkim-signature:v=1; b=");
    }

    #[test]
    fn only_the_signature_is_taken_out() {
        let text = |field: &[u8]| String::from_utf8(without_b(field)).unwrap();
        assert_eq!(text(b"D: bh=AA=; b = BB\r\n CC==; x=b=1"), "D: bh=AA=; b =; x=b=1");
        assert_eq!(text(b"D: v=1; b=AA=\r\n"), "D: v=1; b=");
        assert_eq!(text(b"D: b=x;bb=y"), "D: b=;bb=y");
    }
}
