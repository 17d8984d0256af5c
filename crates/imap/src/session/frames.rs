//! Takes octets as they come: commands with their literals, messages of APPEND, answers to challenges, DONE. Charges every literal before
//! it invites the client to send it. Carries out nothing itself.

use yubin_base::{Next, UnixMs};

use crate::{
    codec::{
        append::{self as append_words, Start},
        cursor::Cursor,
        frame::{Frame, Framed, LiteralHead, literal_head},
        parse::{self, ParseError},
        write::{Code, Status},
    },
    command::{append, authenticate, idle},
    events, limits,
};

use super::{Mode, Session, Skip, reply::Reply};

impl Session {
    /// Takes what is at the front of the input.
    pub(super) async fn take(&mut self, input: &[u8], now: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
        match &self.mode {
            Mode::Commands => self.take_command(input, now, out).await,
            Mode::Append(_) => Box::pin(append::take(self, input, now, out)).await,
            Mode::Skip(_) => self.take_skipped(input, out),
            Mode::Authenticate(_) => Box::pin(authenticate::take(self, input, now, out)).await,
            Mode::Idle(_) => Box::pin(idle::take(self, input, out)).await,
            Mode::Job(_) => (0, Next::More),
            Mode::Over => (input.len(), Next::Close),
        }
    }

    async fn take_command(&mut self, input: &[u8], now: UnixMs, out: &mut Vec<u8>) -> (usize, Next) {
        loop {
            match self.frame.next(input) {
                Framed::Incomplete if input.len() > self.command_octets_max() => {
                    yubin_base::event!(events::TOO_BIG, peer = %self.peer.remote.ip(), octets = input.len());
                    return (input.len(), self.bye(Some(Code::TooBig), "the command is too long", out));
                }
                Framed::Incomplete => return (0, Next::Read),
                Framed::Complete(octets) => {
                    self.frame = Frame::default();
                    let command = input.get(..octets).unwrap_or_default();
                    return (octets, Box::pin(self.carry_out(command, now, out)).await);
                }
                Framed::Literal(head) => {
                    if let Some(taken) = self.take_literal(input, &head, now, out).await {
                        self.frame = Frame::default();
                        return taken;
                    }
                }
            }
        }
    }

    /// Accepts a literal into the command (none), or takes the command up to it out of the input.
    async fn take_literal(
        &mut self,
        input: &[u8],
        head: &LiteralHead,
        now: UnixMs,
        out: &mut Vec<u8>,
    ) -> Option<(usize, Next)> {
        let before = input.get(..head.start).unwrap_or_default();
        if self.user.is_some() {
            match append_words::start(before, self.dialect()) {
                Start::Messages { tag, target, rest } => {
                    let fragment = before.get(rest..).unwrap_or_default();
                    let next =
                        Box::pin(append::start(self, tag, target, fragment, Some(head), now, out)).await;
                    return Some((head.end, next));
                }
                Start::Wrong(error) => {
                    let tag = error.tag.clone().unwrap_or_default();
                    return Some((head.end, self.refuse(tag, reply_to(&error), head, out)));
                }
                Start::Other | Start::NotYet => {}
            }
        }
        let literals = if self.user.is_some() { limits::COMMAND_LITERALS } else { limits::STRANGER_LITERALS };
        let octets = (head.end as u64).saturating_add(head.octets);
        if octets <= self.command_octets_max() as u64 && self.frame.literals() < literals {
            if head.waits {
                out.extend_from_slice(b"+ go on\r\n");
            }
            self.frame.accept(head);
            return None;
        }
        yubin_base::event!(events::TOO_BIG, peer = %self.peer.remote.ip(), octets, literals = self.frame.literals());
        let reply = Reply::bad_code(Code::TooBig, "the command is too long");
        let tag = before.split(|c| *c == b' ').next().and_then(|t| std::str::from_utf8(t).ok());
        let tag = tag.filter(|t| parse::is_tag(t)).unwrap_or("*").to_owned();
        if self.user.is_none() {
            // A stranger is not worth reading on for.
            self.answer(&tag, &reply, out);
            return Some((input.len(), self.bye(Some(Code::TooBig), "the command is too long", out)));
        }
        Some((head.end, self.refuse(tag, reply, head, out)))
    }

    /// Refuses a command at a literal. A client that waits is told at once and sends nothing more of it; what others have sent already
    /// is read and forgotten first, so that it is not taken for commands.
    pub(crate) fn refuse(
        &mut self,
        tag: String,
        reply: Reply,
        head: &LiteralHead,
        out: &mut Vec<u8>,
    ) -> Next {
        if head.waits {
            self.mode = Mode::Commands;
            self.answer(&tag, &reply, out);
            return self.judge(reply.status, out);
        }
        if head.octets > limits::SKIP_OCTETS {
            self.answer(&tag, &reply, out);
            return self.bye(Some(Code::TooBig), "that is too long to read on", out);
        }
        self.mode = Mode::Skip(Box::new(Skip { tag, reply, left: head.octets, skipped: head.octets }));
        Next::Read
    }

    fn take_skipped(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Next) {
        let too_long = input.len() > self.command_octets_max();
        let Mode::Skip(skip) = &mut self.mode else { return (0, Next::Read) };
        if skip.left > 0 {
            let octets = usize::try_from(skip.left).unwrap_or(usize::MAX).min(input.len());
            skip.left -= octets as u64;
            return (octets, Next::Read);
        }
        let Some(end) = memchr::memchr(b'\n', input) else {
            if too_long {
                return (input.len(), self.bye(Some(Code::TooBig), "the command is too long", out));
            }
            return (0, Next::Read);
        };
        let line = input.get(..=end).unwrap_or_default();
        match literal_head(line) {
            Some((_, octets, false, _)) => {
                skip.left = octets;
                skip.skipped = skip.skipped.saturating_add(octets).saturating_add(line.len() as u64);
                if skip.skipped > limits::SKIP_OCTETS {
                    return (end + 1, self.bye(Some(Code::TooBig), "that is too long to read on", out));
                }
                (end + 1, Next::Read)
            }
            // A client that waits here learns that its command failed, and sends no literal.
            _ => {
                let Mode::Skip(skip) = std::mem::replace(&mut self.mode, Mode::Commands) else {
                    return (end + 1, Next::Read);
                };
                self.answer(&skip.tag, &skip.reply, out);
                (end + 1, self.judge(skip.reply.status, out))
            }
        }
    }

    /// Carries out a complete command.
    async fn carry_out(&mut self, command: &[u8], now: UnixMs, out: &mut Vec<u8>) -> Next {
        if self.user.is_some()
            && let Start::Messages { tag, target, rest } = append_words::start(command, self.dialect())
        {
            // No literal: all its parts are here already, or it is wrong.
            let fragment = command.get(rest..).unwrap_or_default();
            return Box::pin(append::start(self, tag, target, fragment, None, now, out)).await;
        }
        match parse::parse(command, self.dialect()) {
            Ok(request) => self.execute(request, now, out).await,
            Err(error) => {
                let is_blank = Cursor::new(command).is_end();
                if is_blank && self.user.is_some() {
                    // Some clients send an empty line after a literal; nothing was asked.
                    return Next::Read;
                }
                self.answer(error.tag.as_deref().unwrap_or("*"), &reply_to(&error), out);
                self.judge(Status::Bad, out)
            }
        }
    }
}

/// What a client is told that wrote something wrong: what and where.
pub(crate) fn reply_to(error: &ParseError) -> Reply {
    Reply::bad(format!("{} (at octet {})", error.error.what, error.error.at + 1))
}
