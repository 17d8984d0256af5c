//! Prometheus metrics. Each event of the catalogue is a counter by its name; gauges tell what is open now.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::config::ListenerProtocol;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ProtocolLabel {
    protocol: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EventLabel {
    event: String,
}

/// The server's metrics.
pub struct Metrics {
    registry: Registry,
    connections: Family<ProtocolLabel, Gauge<i64, AtomicI64>>,
    accepted: Family<ProtocolLabel, Counter>,
    refused: Family<ProtocolLabel, Counter>,
    events: Family<EventLabel, Counter>,
    queue: Gauge<i64, AtomicI64>,
    queue_lag: Gauge<i64, AtomicI64>,
    destinations: Gauge<i64, AtomicI64>,
    destinations_down: Gauge<i64, AtomicI64>,
    senders: Gauge<i64, AtomicI64>,
    accounts: Gauge<i64, AtomicI64>,
    writable: Gauge<i64, AtomicI64>,
    commits: Gauge<f64, AtomicU64>,
    flushes: Gauge<f64, AtomicU64>,
    stored_octets: Gauge<f64, AtomicU64>,
}

/// Read at scrape time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readings {
    /// Messages in the queue.
    pub queued: u64,
    /// How long the message that has waited longest past its time has.
    pub oldest_due_s: u64,
    /// Destinations of mail for other hosts.
    pub destinations: yubin_delivery::DestinationReadings,
    /// Accounts held in memory.
    pub accounts_loaded: u64,
    /// Whether the store takes writes.
    pub writable: bool,
    /// Transactions committed since the start.
    pub commits: u64,
    /// Flushes to disk since the start.
    pub flushes: u64,
    /// Octets the store takes on disk.
    pub stored_octets: u64,
}

/// A connection that is open; counted until dropped.
pub struct Counted(Gauge<i64, AtomicI64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// With everything registered.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("yubin");
        let metrics = Self {
            connections: Family::default(),
            accepted: Family::default(),
            refused: Family::default(),
            events: Family::default(),
            queue: Gauge::default(),
            queue_lag: Gauge::default(),
            destinations: Gauge::default(),
            destinations_down: Gauge::default(),
            senders: Gauge::default(),
            accounts: Gauge::default(),
            writable: Gauge::default(),
            commits: Gauge::default(),
            flushes: Gauge::default(),
            stored_octets: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("connections", "Open connections", metrics.connections.clone());
        registry.register("connections_accepted", "Connections accepted", metrics.accepted.clone());
        registry.register("connections_refused", "Connections refused by a limit", metrics.refused.clone());
        registry.register("events", "Events of the log catalogue, by name", metrics.events.clone());
        registry.register("queue_messages", "Messages in the queue", metrics.queue.clone());
        registry.register(
            "queue_lag_seconds",
            "How far the queue is behind its schedule",
            metrics.queue_lag.clone(),
        );
        registry.register("destinations", "Destinations that mail waits for", metrics.destinations.clone());
        registry.register(
            "destinations_down",
            "Destinations that cannot be reached",
            metrics.destinations_down.clone(),
        );
        registry.register("senders", "Connections to other servers", metrics.senders.clone());
        registry.register("accounts_loaded", "Accounts held in memory", metrics.accounts.clone());
        registry.register("store_writable", "1 while the store takes writes", metrics.writable.clone());
        registry.register("store_commits", "Transactions since the start", metrics.commits.clone());
        registry.register("store_flushes", "Flushes to disk since the start", metrics.flushes.clone());
        registry.register("store_octets", "Octets on disk", metrics.stored_octets.clone());
        Arc::new(Self { registry, ..metrics })
    }

    /// Counts a connection while the answer lives.
    pub fn connection(&self, protocol: ListenerProtocol) -> Counted {
        let label = ProtocolLabel { protocol: protocol.name() };
        self.accepted.get_or_create(&label).inc();
        let gauge = self.connections.get_or_create(&label).clone();
        gauge.inc();
        Counted(gauge)
    }

    /// Counts a refused connection.
    pub fn refused(&self, protocol: ListenerProtocol) {
        self.refused.get_or_create(&ProtocolLabel { protocol: protocol.name() }).inc();
    }

    /// Counts an event.
    pub fn event(&self, name: &str) {
        self.events.get_or_create(&EventLabel { event: name.to_owned() }).inc();
    }

    /// The text that Prometheus reads.
    pub fn render(&self, readings: Readings) -> String {
        self.queue.set(readings.queued as i64);
        self.queue_lag.set(readings.oldest_due_s as i64);
        self.destinations.set(readings.destinations.destinations as i64);
        self.destinations_down.set(readings.destinations.paused as i64);
        self.senders.set(readings.destinations.workers as i64);
        self.accounts.set(readings.accounts_loaded as i64);
        self.writable.set(i64::from(readings.writable));
        self.commits.set(readings.commits as f64);
        self.flushes.set(readings.flushes as f64);
        self.stored_octets.set(readings.stored_octets as f64);
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
