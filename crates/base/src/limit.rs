//! Limits: declared once, beside their owner, with unit and reason.

/// One limit as the reference page shows it.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The constant's name.
    pub name: &'static str,
    /// The value.
    pub value: u64,
    /// What is counted: octets, messages, seconds.
    pub unit: &'static str,
    /// Why this value.
    pub why: &'static str,
}

/// Declares a crate's limits as constants, and `ALL` for the reference page.
///
/// ```
/// yubin_base::limits! {
///     /// at least 512 by RFC 5321 §4.5.3.1.4
///     COMMAND_LINE_OCTETS: usize = 2048, "octets";
/// }
/// assert_eq!(COMMAND_LINE_OCTETS, 2048);
/// assert_eq!(ALL[0].name, "COMMAND_LINE_OCTETS");
/// ```
#[macro_export]
macro_rules! limits {
    ($( #[doc = $why:literal] $name:ident : $ty:ty = $value:expr, $unit:literal; )*) => {
        $( #[doc = $why] pub const $name: $ty = $value; )*
        /// Every limit of this crate, for the reference page.
        pub const ALL: &[$crate::Limit] = &[
            $( $crate::Limit { name: stringify!($name), value: $name as u64, unit: $unit, why: $why }, )*
        ];
    };
}
