//! Events: every log line has a stable name and a place in its crate's catalogue.
//! The server counts events by name, so that each one is a metric as well.

/// How much an event asks of a person. `Error` means somebody must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Somebody must act.
    Error,
    /// Unusual; look when you have time.
    Warn,
    /// The normal story of a message or a session.
    Info,
    /// For finding faults.
    Debug,
}

/// One event of a catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Stable name, `area.what_happened`.
    pub name: &'static str,
    /// Its level.
    pub level: Level,
    /// One sentence for the reference page.
    pub help: &'static str,
}

/// Declares a crate's events as constants, and `ALL` for the reference page.
///
/// ```
/// yubin_base::events! {
///     /// A client connected.
///     CONNECTED = Info "smtp.connected";
/// }
/// yubin_base::event!(CONNECTED, peer = "192.0.2.1");
/// ```
#[macro_export]
macro_rules! events {
    ($( #[doc = $help:literal] $name:ident = $level:ident $text:literal; )*) => {
        $( #[doc = $help] pub const $name: $crate::Event =
            $crate::Event { name: $text, level: $crate::Level::$level, help: $help }; )*
        /// Every event of this crate, for the reference page.
        pub const ALL: &[$crate::Event] = &[ $( $name, )* ];
    };
}

/// Logs one event of a catalogue with its fields (the syntax of `tracing` fields).
#[macro_export]
macro_rules! event {
    ($event:expr $(, $($field:tt)*)?) => {{
        let what: $crate::Event = $event;
        match what.level {
            $crate::Level::Error => $crate::__tracing::error!(target: "yubin", event = what.name $(, $($field)*)?),
            $crate::Level::Warn => $crate::__tracing::warn!(target: "yubin", event = what.name $(, $($field)*)?),
            $crate::Level::Info => $crate::__tracing::info!(target: "yubin", event = what.name $(, $($field)*)?),
            $crate::Level::Debug => $crate::__tracing::debug!(target: "yubin", event = what.name $(, $($field)*)?),
        }
    }};
}
