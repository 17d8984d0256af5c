//! The messages that ann and bob find.

use std::sync::Arc;

use yubin_base::UnixMs;
use yubin_store::{Flags, NewMessage, Quota, StoreError};

use super::{ACCOUNTS, DOMAIN};
use crate::{app::App, clock};

/// A welcome for both, a plain letter, one in Japanese as old clients write it, and one with an attachment.
const MESSAGES: [&[u8]; 4] = [
    b"From: Yubin <postmaster@example.test>\r\nTo: you@example.test\r\nSubject: Welcome to Yubin\r\n\
      Date: Mon, 2 Nov 2026 09:00:00 +0900\r\nMessage-ID: <welcome@example.test>\r\nMIME-Version: 1.0\r\n\
      Content-Type: text/plain; charset=utf-8\r\n\r\n\
      This mailbox is for trying things. Send a message to bob@example.test, read it\r\n\
      over IMAP or POP3, kill the server in between: it will still be there.\r\n",
    b"From: Bob Example <bob@example.test>\r\nTo: Ann Example <ann@example.test>\r\nSubject: Lunch?\r\n\
      Date: Mon, 2 Nov 2026 10:15:00 +0900\r\nMessage-ID: <lunch@example.test>\r\n\r\n\
      The usual place at noon?\r\n\r\nBob\r\n",
    b"From: =?ISO-2022-JP?B?GyRCPVUyLBsoQg==?= <haru@example.test>\r\nTo: ann@example.test\r\n\
      Subject: =?ISO-2022-JP?B?GyRCTTlKWBsoQiAbJEIkKkNOJGkkOxsoQg==?=\r\n\
      Date: Mon, 2 Nov 2026 11:30:00 +0900\r\nMessage-ID: <oshirase@example.test>\r\nMIME-Version: 1.0\r\n\
      Content-Type: text/plain; charset=ISO-2022-JP\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
      \x1b$B$3$s$K$A$O!#M9JX$,FO$-$^$7$?!#\x1b(B\r\n",
    b"From: Bob Example <bob@example.test>\r\nTo: ann@example.test\r\nSubject: The list\r\n\
      Date: Mon, 2 Nov 2026 12:45:00 +0900\r\nMessage-ID: <list@example.test>\r\nMIME-Version: 1.0\r\n\
      Content-Type: multipart/mixed; boundary=\"=-cut\"\r\n\r\n\
      --=-cut\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nAttached.\r\n\
      --=-cut\r\nContent-Type: text/csv; name=list.csv\r\nContent-Disposition: attachment; filename=list.csv\r\n\
      Content-Transfer-Encoding: base64\r\n\r\naXRlbSxjb3VudApzdGFtcHMsMTIKZW52ZWxvcGVzLDQwCg==\r\n--=-cut--\r\n",
];

/// Puts them into the INBOX of each account.
pub async fn deliver(app: &App) -> Result<(), StoreError> {
    for (local, _, _) in ACCOUNTS {
        let Some(account) = app.directory.account_by_name(&format!("{local}@{DOMAIN}")) else { continue };
        let account = app.store.account(account.id).await?;
        let inbox = account.mailbox_named("INBOX").ok_or(StoreError::NoMailbox)?;
        let now = clock::now();
        let mut messages = Vec::new();
        for octets in MESSAGES {
            let mut stager = app.store.stager();
            stager.write(octets)?;
            messages.push(NewMessage {
                staged: Arc::new(stager.finish()?),
                prefix: Vec::new(),
                flags: Flags::default(),
                keywords: Vec::new(),
                internal_date: UnixMs(now.0),
                idem: None,
            });
        }
        account.append(inbox.id, messages, Quota::default(), now).await?;
    }
    Ok(())
}
