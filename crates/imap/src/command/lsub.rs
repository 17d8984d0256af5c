//! LSUB. RFC 3501 §6.3.9: names subscribed to; above them, with `%`, names that only lead there.

use std::collections::BTreeMap;

use crate::session::{reply::Reply, user::Context};

use super::list::patterns;

pub(crate) fn run(cx: &mut Context<'_>, reference: &str, pattern: &str) -> Result<Reply, Reply> {
    if pattern.is_empty() {
        cx.w().raw("* LSUB (\\Noselect) \"/\" \"\"\r\n");
        return Ok(Reply::ok("that is all"));
    }
    let patterns = patterns(reference, &[pattern.to_owned()])?;
    let state = cx.user.own.state();
    // Name, and whether it is itself subscribed to.
    let mut listed: BTreeMap<&str, bool> = BTreeMap::new();
    for name in state.subscribed.iter() {
        if patterns.iter().any(|p| p.matches(name)) {
            listed.insert(name, true);
            continue;
        }
        if !pattern.contains('%') {
            continue;
        }
        for (at, _) in name.match_indices('/') {
            let above = name.get(..at).unwrap_or_default();
            if patterns.iter().any(|p| p.matches(above)) {
                listed.entry(above).or_insert(false);
            }
        }
    }
    let mut w = cx.w();
    for (name, subscribed) in listed {
        w.raw(if subscribed { "* LSUB () \"/\" " } else { "* LSUB (\\Noselect) \"/\" " });
        w.mailbox(name).raw("\r\n");
    }
    Ok(Reply::ok("that is all"))
}
