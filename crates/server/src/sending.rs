//! From configuration to what sending needs. Reads the password files of routes.

use std::{collections::BTreeSet, sync::Arc};

use yubin_delivery::remote::{RetrySchedule, RouteRule, RouteTls, SendOptions, Sending};

use crate::{
    config::{self, Config, ListenerProtocol},
    dns,
    outbound::{Tasks, TokioConnector},
};

/// Everything sending needs; nothing when it is switched off.
pub fn sending(config: &Config, tasks: Arc<Tasks>) -> Result<Option<Sending>, String> {
    if !config.sending.enabled {
        return Ok(None);
    }
    let own_ports: BTreeSet<u16> = config
        .listeners()
        .iter()
        .filter(|listener| listener.protocol == ListenerProtocol::Smtp)
        .map(|listener| listener.address.port())
        .collect();
    Ok(Some(Sending {
        resolver: dns::resolver(&config.dns)?,
        connector: Arc::new(TokioConnector::new(&config.sending.trusted_roots, own_ports)?),
        spawn: tasks,
        options: options(config)?,
    }))
}

fn options(config: &Config) -> Result<SendOptions, String> {
    let sending = &config.sending;
    let routes: Result<Vec<RouteRule>, String> = config.route.iter().map(rule).collect();
    Ok(SendOptions {
        routes: routes?,
        retry: RetrySchedule {
            pauses_s: sending.retry_s.clone(),
            lifetime_s: sending.lifetime_s,
            warn_after_s: (sending.warn_after_s > 0).then_some(sending.warn_after_s),
        },
        connections_per_destination: sending.connections_per_destination,
        ipv6: sending.ipv6,
        dane: sending.dane && config.dns.dnssec,
        mta_sts: sending.mta_sts,
        report_to_strangers: sending.report_to_strangers,
    })
}

fn rule(route: &config::Route) -> Result<RouteRule, String> {
    let login = if route.user.is_empty() {
        None
    } else {
        let file = &route.password_file;
        let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        Some((route.user.clone(), text.lines().next().unwrap_or_default().to_owned()))
    };
    Ok(RouteRule {
        domain: route.domain.clone(),
        sender_domain: route.sender_domain.clone(),
        hosts: route.hosts.clone(),
        port: route.port,
        tls: match route.tls {
            config::RouteTls::Opportunistic => RouteTls::Opportunistic,
            config::RouteTls::Verified => RouteTls::Verified,
            config::RouteTls::Implicit => RouteTls::Implicit,
            config::RouteTls::Never => RouteTls::Never,
        },
        login,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_file_are_those_of_the_crate() {
        let config = Config::default();
        assert_eq!(options(&config), Ok(SendOptions::default()));
    }

    #[test]
    fn a_route_reads_its_password() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "secret\nmore\n").unwrap();
        let text = format!(
            "[[route]]\ndomain = \"*\"\nhosts = [\"smart.test\"]\nport = 465\ntls = \"implicit\"\nuser = \"u\"\npassword_file = {:?}\n",
            file.display().to_string()
        );
        let config = Config::parse(&text).unwrap();
        let rules = options(&config).unwrap().routes;
        assert_eq!(rules[0].login, Some(("u".into(), "secret".into())));
        assert_eq!((rules[0].port, rules[0].tls), (465, RouteTls::Implicit));
    }
}
