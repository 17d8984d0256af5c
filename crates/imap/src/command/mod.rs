//! One file per command. This one finds the file: whether the session's state permits the command (RFC 9051 §6), what it answers, and
//! what else the client is told before the answer.

mod acl;
mod answer;
pub(crate) mod append;
pub(crate) mod authenticate;
pub(crate) mod capability;
mod catenate;
mod close;
mod compress;
mod copy;
mod create;
mod delete;
mod enable;
mod esearch;
mod expunge;
mod fetch;
mod find;
mod id;
pub(crate) mod idle;
pub(crate) mod job;
mod list;
mod login;
mod lsub;
mod message_limit;
pub(crate) mod metadata;
mod move_;
mod namespace;
mod notify;
mod quota;
mod rename;
mod resync;
mod search;
mod select;
mod sort;
mod starttls;
mod status;
mod store;
mod subscribe;
mod thread;
mod uidbatches;
mod unauthenticate;

use yubin_base::{Next, UnixMs};

use crate::{
    codec::{Code, Command, Request, Writer, write::Status},
    session::{
        End, Mode, Running, Session,
        reply::Reply,
        user::{Context, not_selected},
    },
};
pub(crate) use fetch::FetchJob;
use job::{Job, Progress};
pub(crate) use status::{Told, push_status};

/// What a client is told of other sessions' changes before the answer to its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// All of it.
    All,
    /// RFC 9051 §7.5.1: no EXPUNGE, while sequence numbers are in use.
    ButExpunge,
    /// Nothing: SELECT shows the mailbox as it was opened. What came since is told with the next command, so that EXISTS stands once.
    Nothing,
}

/// What a command of a logged-in client comes to.
pub(crate) enum Outcome {
    /// The answer.
    Reply(Reply),
    /// An answer too long to be given at once.
    Job(Job),
}

impl Session {
    /// Carries out a command and answers.
    pub(crate) async fn execute(&mut self, request: Request, now: UnixMs, out: &mut Vec<u8>) -> Next {
        let Request { tag, command } = request;
        let reply = match command {
            // In any state.
            Command::Capability => capability::run(self, out),
            Command::Noop => Reply::ok("done"),
            Command::Id(pairs) => id::run(self, &pairs, out),
            Command::Logout => {
                // RFC 9051 §6.1.3: BYE comes before the answer.
                out.extend_from_slice(b"* BYE see you\r\n");
                self.answer(&tag, &Reply::ok("logged out"), out);
                self.mode = Mode::Over;
                return Next::Close;
            }
            Command::Compress(algorithm) => match compress::run(self, &algorithm) {
                Ok(reply) => {
                    // RFC 4978 §3: compression begins behind this very line.
                    self.answer(&tag, &reply, out);
                    self.judge(reply.status, out);
                    return Next::Compress;
                }
                Err(reply) => reply,
            },
            Command::Unauthenticate => return unauthenticate::run(self, &tag, out),
            // Before login.
            Command::StartTls => match starttls::run(self) {
                Ok(reply) => {
                    self.answer(&tag, &reply, out);
                    return Next::StartTls;
                }
                Err(reply) => reply,
            },
            Command::Login { user, password } => {
                return login::run(self, &tag, &user, &password, now, out).await;
            }
            Command::Authenticate { mechanism, initial } => {
                return authenticate::run(self, tag, &mechanism, initial, now, out).await;
            }
            // After login.
            command => return self.execute_as_user(tag, command, now, out).await,
        };
        self.finish(&tag, &reply, News::All, &[], out).await
    }

    async fn execute_as_user(
        &mut self,
        tag: String,
        command: Command,
        now: UnixMs,
        out: &mut Vec<u8>,
    ) -> Next {
        let news = match command {
            Command::Fetch { uid: false, .. }
            | Command::Store { uid: false, .. }
            | Command::Search { uid: false, .. }
            | Command::Sort { uid: false, .. }
            | Command::Thread { uid: false, .. }
            | Command::Esearch(_) => News::ButExpunge,
            Command::Select { .. } => News::Nothing,
            _ => News::All,
        };
        let Some(user) = &mut self.user else {
            let reply = Reply::bad("log in first");
            return self.finish(&tag, &reply, News::ButExpunge, &[], out).await;
        };
        if user.enabled.uid_only && command.uses_sequence_numbers() {
            // RFC 9586 §3: the client promised to use none.
            let reply = Reply::bad_code(Code::UidRequired, "messages have no sequence numbers any more");
            return self.finish(&tag, &reply, News::ButExpunge, &[], out).await;
        }
        if let Command::Idle = command {
            return idle::run(self, tag, out).await;
        }
        let mut cx = Context { services: &self.services, user, now, out, known: Vec::new() };
        let outcome = match run(&mut cx, &tag, command).await {
            Ok(outcome) => outcome,
            Err(reply) => Outcome::Reply(reply),
        };
        let known = cx.known;
        match outcome {
            Outcome::Reply(reply) => self.finish(&tag, &reply, news, &known, out).await,
            Outcome::Job(job) => {
                self.mode =
                    Mode::Job(Box::new(Running { job, end: End::Answer { tag, news, told_at: now } }));
                self.go_on(now, out).await
            }
        }
    }

    /// Goes on with a long answer.
    pub(crate) async fn go_on(&mut self, now: UnixMs, out: &mut Vec<u8>) -> Next {
        let (Mode::Job(running), Some(user)) = (&mut self.mode, &mut self.user) else { return Next::Read };
        running.tell_progress(now, out);
        let mut cx = Context { services: &self.services, user, now, out, known: Vec::new() };
        match running.job.step(&mut cx).await {
            Progress::More => Next::More,
            Progress::Broken => {
                // A literal was promised and cannot be kept: only the end of the connection says so.
                self.mode = Mode::Over;
                Next::Close
            }
            Progress::Done { reply, known } => {
                let Mode::Job(running) = std::mem::replace(&mut self.mode, Mode::Commands) else {
                    return Next::Read;
                };
                match running.end {
                    End::Answer { tag, news, .. } => self.finish(&tag, &reply, news, &known, out).await,
                    End::Told { tag, reply } => {
                        self.answer(&tag, &reply, out);
                        self.judge(reply.status, out)
                    }
                    End::Idle(tag) => {
                        self.mode = Mode::Idle(tag);
                        Next::Read
                    }
                    End::Nothing => Next::Read,
                }
            }
        }
    }

    /// Tells what changed, then answers.
    pub(crate) async fn finish(
        &mut self,
        tag: &str,
        reply: &Reply,
        news: News,
        known: &[crate::session::view::Known],
        out: &mut Vec<u8>,
    ) -> Next {
        if reply.status != Status::Bad
            && news != News::Nothing
            && let Some(user) = &mut self.user
            && let Some(job) = user.sync(news == News::All, known, out).await
        {
            let end = End::Told { tag: tag.to_owned(), reply: reply.clone() };
            self.mode = Mode::Job(Box::new(Running { job, end }));
            return Next::More;
        }
        self.answer(tag, reply, out);
        self.judge(reply.status, out)
    }
}

async fn run(cx: &mut Context<'_>, tag: &str, command: Command) -> Result<Outcome, Reply> {
    let reply = match command {
        Command::Enable(names) => enable::run(cx, &names),
        Command::Select { mailbox, examine, parameters } => {
            return select::run(cx, &mailbox, examine, &parameters).await;
        }
        Command::Create { mailbox, uses } => create::run(cx, &mailbox, &uses).await,
        Command::Delete(mailbox) => delete::run(cx, &mailbox).await,
        Command::Rename { from, to } => rename::run(cx, &from, &to).await,
        Command::Subscribe(mailbox) => subscribe::run(cx, &mailbox, true).await,
        Command::Unsubscribe(mailbox) => subscribe::run(cx, &mailbox, false).await,
        Command::List(list) => list::run(cx, &list).await,
        Command::Lsub { reference, pattern } => lsub::run(cx, &reference, &pattern),
        Command::Namespace => Ok(namespace::run(cx)),
        Command::Status { mailbox, items } => status::run(cx, &mailbox, &items).await,
        Command::Notify(arguments) => notify::run(cx, arguments).await,
        Command::GetMetadata(get) => metadata::get(cx, &get).await,
        Command::SetMetadata(set) => metadata::set(cx, &set).await,
        Command::GetQuota(root) => quota::get(cx, &root).await,
        Command::GetQuotaRoot(mailbox) => quota::get_root(cx, &mailbox).await,
        Command::SetQuota => quota::set(),
        Command::Acl(command) => acl::run(cx, command).await,
        // RFC 3501 §6.4.1: a checkpoint; everything is durable already.
        Command::Check => cx.selected().map(|_| Reply::ok("everything is stored")),
        Command::Close => close::run(cx, true).await,
        Command::Unselect => close::run(cx, false).await,
        Command::Expunge { uids } => expunge::run(cx, uids.as_ref()).await,
        Command::Store { set, store, uid } => store::run(cx, &set, &store, uid).await,
        Command::Copy { set, mailbox, uid } => copy::run(cx, &set, &mailbox, uid).await,
        Command::Move { set, mailbox, uid } => move_::run(cx, &set, &mailbox, uid).await,
        Command::UidBatches { size, batches } => uidbatches::run(cx, tag, size, batches),
        Command::Search { search, uid } => return search::run(cx, tag, search, uid),
        Command::Esearch(esearch) => return esearch::run(cx, tag, esearch).await,
        Command::Sort { sort, uid } => return sort::run(cx, tag, sort, uid),
        Command::Thread { thread, uid } => return thread::run(cx, &thread, uid),
        Command::Fetch { set, items, modifiers, uid } => {
            return fetch::run(cx, &set, items, modifiers, uid).await;
        }
        // `execute` has carried these out.
        Command::Capability
        | Command::Noop
        | Command::Logout
        | Command::Id(_)
        | Command::StartTls
        | Command::Login { .. }
        | Command::Compress(_)
        | Command::Unauthenticate
        | Command::Authenticate { .. }
        | Command::Idle => Err(not_selected()),
    }?;
    Ok(Outcome::Reply(reply))
}

/// A writer before login.
pub(crate) fn plain(out: &mut Vec<u8>) -> Writer<'_> {
    Writer::new(out, Default::default())
}
