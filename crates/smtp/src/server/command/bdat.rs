//! BDAT: a body in chunks whose sizes are told. RFC 3030 §2; RFC 2033 §4.3 for LMTP.
//! The octets of a chunk are passed over even when it is refused: they must never be read as commands.

use yubin_base::Next;

use crate::{
    codec::{
        body::Framing,
        line::Verb,
        reply::{self, Reply},
    },
    limits,
    server::{
        Session, command::data, options::Login, ports::Reception, session::Mode, transaction::Progress,
    },
};

/// A chunk while it passes.
pub(crate) struct Chunk {
    left: u64,
    last: bool,
    /// Why it is passed over, when it is.
    refusal: Option<Box<Reply>>,
}

/// RFC 3030 §2.
///
/// ```abnf
/// bdat-cmd   = "BDAT" SP chunk-size [ SP end-marker ] CR LF
/// chunk-size = 1*DIGIT
/// end-marker = "LAST"
/// ```
pub(crate) async fn handle<R: Reception>(
    session: &mut Session<R>,
    arguments: &str,
    out: &mut Vec<u8>,
) -> Next {
    let Some((size, last)) = parse(arguments) else {
        // Where the chunk ends is unknown, so that what follows may be anything.
        session.transaction = None;
        reply::CHUNK_SIZE.write(out);
        return Next::Close;
    };
    let refusal = open(session, size).await.err();
    if let Some(reply) = &refusal {
        // RFC 3030 §2: after an error the chunks that are still on their way are refused, for want of a sender.
        session.transaction = None;
        // What nobody would read to its end is not read at all.
        if size > session.options().message_octets_max.saturating_add(limits::OVERRUN_OCTETS) {
            reply.write(out);
            return Next::Close;
        }
    }
    let chunk = Chunk { left: size, last, refusal: refusal.map(Box::new) };
    if size == 0 {
        return chunk_done(session, chunk, out).await;
    }
    session.mode = Mode::Chunk(chunk);
    Next::Read
}

fn parse(arguments: &str) -> Option<(u64, bool)> {
    let mut words = arguments.split([' ', '\t']).filter(|word| !word.is_empty());
    let size = words.next().filter(|word| word.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return None,
    };
    words.next().is_none().then_some((size, last))
}

/// Checks order and size, and opens the body with the first chunk.
async fn open<R: Reception>(session: &mut Session<R>, size: u64) -> Result<(), Reply> {
    if let Some(reply) = session.out_of_place(Verb::Mail) {
        return Err(reply);
    }
    if session.options().login == Login::Required && session.facts.authenticated.is_none() {
        return Err(reply::LOGIN_FIRST);
    }
    let octets_max = session.options().message_octets_max;
    let transaction = session.transaction.as_ref().ok_or(reply::MAIL_FIRST)?;
    if transaction.envelope.recipients.is_empty() {
        return Err(reply::RCPT_FIRST);
    }
    let so_far = transaction.body.as_ref().map_or(0, |body| body.octets());
    if so_far.saturating_add(size) > octets_max {
        return Err(reply::MESSAGE_TOO_BIG);
    }
    if transaction.body.is_none() {
        data::open_body(session, Framing::Chunks).await.map_err(|refusal| refusal.reply().clone())?;
    }
    Ok(())
}

/// Takes a piece of the chunk.
pub(crate) async fn take<R: Reception>(
    session: &mut Session<R>,
    input: &[u8],
    out: &mut Vec<u8>,
) -> (usize, Next) {
    let Mode::Chunk(mut chunk) = std::mem::replace(&mut session.mode, Mode::Commands) else {
        return (0, Next::Read);
    };
    let step =
        usize::try_from(chunk.left).unwrap_or(usize::MAX).min(limits::BODY_STEP_OCTETS).min(input.len());
    let piece = input.get(..step).unwrap_or(input);
    let body = session.transaction.as_mut().and_then(|transaction| transaction.body.as_mut());
    if let (Some(body), None) = (body, &chunk.refusal) {
        // A chunk has no end mark, and its size was checked.
        if let Progress::Overrun = body.take(piece).await {
            return (input.len(), session.end(reply::MESSAGE_TOO_BIG, out));
        }
    }
    chunk.left = chunk.left.saturating_sub(piece.len() as u64);
    if chunk.left == 0 {
        return (piece.len(), chunk_done(session, chunk, out).await);
    }
    session.mode = Mode::Chunk(chunk);
    (piece.len(), Next::Read)
}

async fn chunk_done<R: Reception>(session: &mut Session<R>, chunk: Chunk, out: &mut Vec<u8>) -> Next {
    if let Some(reply) = chunk.refusal {
        return session.refuse(*reply, out);
    }
    let body = session.transaction.as_ref().and_then(|transaction| transaction.body.as_ref());
    let Some(body) = body else { return session.refuse(reply::MAIL_FIRST, out) };
    if chunk.last {
        return data::answer(session, out).await;
    }
    // RFC 3030 §2: each chunk is answered. One that is refused ends the transaction.
    if let Some(refusal) = body.refusal().cloned() {
        let broke_lines = body.broke_lines();
        session.transaction = None;
        let next = session.refuse_by_policy(&refusal, out);
        return if broke_lines { Next::Close } else { next };
    }
    reply::CHUNK_OK.write(out);
    Next::Read
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes_are_numbers_of_octets() {
        assert_eq!(parse("10"), Some((10, false)));
        assert_eq!(parse("0 LAST"), Some((0, true)));
        assert_eq!(parse("7  last"), Some((7, true)));
        assert_eq!(parse("18446744073709551615"), Some((u64::MAX, false)));
        for wrong in
            ["", "LAST", "-1", "+1", "1.5", "0x10", "18446744073709551616", "1 FIRST", "1 LAST LAST", "1LAST"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
