//! What `yubin dev` says when it is ready: one JSON object for programs, instructions for people.

use serde_json::{Map, Value, json};

use super::{ACCOUNTS, DOMAIN, Ready};

/// One line of JSON.
pub(super) fn json(ready: &Ready<'_>) -> String {
    let ports: Map<String, Value> =
        ready.ports.iter().map(|(name, port)| ((*name).to_owned(), Value::from(*port))).collect();
    let accounts: Vec<Value> = ACCOUNTS
        .iter()
        .map(|(local, _, password)| json!({ "name": format!("{local}@{DOMAIN}"), "password": password }))
        .collect();
    json!({
        "host": "127.0.0.1",
        "ports": ports,
        "accounts": accounts,
        "data": ready.data,
        "pid": std::process::id(),
        "certificate": ready.certificate,
        "admin_socket": ready.socket,
    })
    .to_string()
}

/// Instructions.
pub(super) fn text(ready: &Ready<'_>) -> String {
    let port = |name: &str| ready.ports.iter().find(|(n, _)| *n == name).map_or(0, |(_, port)| *port);
    let table: String = ready
        .ports
        .iter()
        .map(|(name, port)| format!("  {name:<12} 127.0.0.1:{port:<6} {}\n", describe(name)))
        .collect();
    let accounts: String = ACCOUNTS
        .iter()
        .map(|(local, _, password)| format!("  {local}@{DOMAIN:<14} password {password}\n"))
        .collect();
    let [(_, _, ann), (_, _, bob)] = ACCOUNTS;
    let certificate = ready.certificate.display();
    let (smtp, submission, imaps) = (port("smtp"), port("submission"), port("imaps"));
    let (imap, pop3s, http) = (port("imap"), port("pop3s"), port("http"));
    let data = ready.data.display();
    let kept = if ready.kept { "kept" } else { "removed at the end" };
    format!(
        "Yubin is ready.\n\n{table}\n{accounts}\n\
         Send a message to bob (swaks):\n  \
         swaks --server 127.0.0.1:{submission} --tls --auth PLAIN --auth-user ann@{DOMAIN} --auth-password {ann} \\\n    \
         --from ann@{DOMAIN} --to bob@{DOMAIN} --header 'Subject: hello'\n\
         Or as another server would (no login):\n  \
         swaks --server 127.0.0.1:{smtp} --from someone@elsewhere.test --to bob@{DOMAIN}\n\n\
         Read it (curl):\n  \
         curl --cacert {certificate} --user bob@{DOMAIN}:{bob} 'imaps://localhost:{imaps}/INBOX;MAILINDEX=5'\n  \
         curl --cacert {certificate} --user bob@{DOMAIN}:{bob} pop3s://localhost:{pop3s}/\n\n\
         mutt:\n  \
         mutt -f 'imap://bob%40{DOMAIN}:{bob}@127.0.0.1:{imap}/INBOX' -e 'set ssl_starttls=no'\n\n\
         Thunderbird: new account, bob@{DOMAIN}, \"Configure manually\":\n  \
         IMAP 127.0.0.1 port {imaps} SSL/TLS, SMTP 127.0.0.1 port {} SSL/TLS, normal password;\n  \
         accept the self-signed certificate when asked.\n\n\
         Administer it:   yubin --data {data} account list\n\
         Metrics:         http://127.0.0.1:{http}/metrics\n\
         Certificate:     {certificate}\n\
         Data:            {data} ({kept})\n\n\
         Ctrl-C stops it.\n",
        port("submissions")
    )
}

fn describe(name: &str) -> &'static str {
    match name {
        "smtp" => "mail from other servers (STARTTLS)",
        "submission" => "mail from our users (STARTTLS, login)",
        "submissions" => "mail from our users (TLS, login)",
        "lmtp" => "mail from a local transfer agent",
        "imap" => "reading mail (STARTTLS)",
        "imaps" => "reading mail (TLS)",
        "pop3" => "fetching mail (STLS)",
        "pop3s" => "fetching mail (TLS)",
        "sieve" => "rules for incoming mail (ManageSieve, STARTTLS)",
        "http" => "metrics and health",
        _ => "",
    }
}
