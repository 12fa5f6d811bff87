//! What a drive is called.

/// What INQUIRY and the control socket call the drive.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Name on the control socket, unique in the daemon.
    pub name: String,
    /// T10 vendor identification: at most 8 printable ASCII characters.
    pub vendor: String,
    /// Product identification: at most 16.
    pub product: String,
    /// Product revision level: at most 4.
    pub revision: String,
    /// Unit serial number: at most 20; stable over restarts, so that guests recognise the drive.
    pub serial: String,
}

impl Identity {
    /// The identity that a drive has when nobody gives it another.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            vendor: "SPINDLE".to_owned(),
            product: "Virtual Optical".to_owned(),
            revision: concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR")).to_owned(),
            // 20 characters are what the pages have room for.
            serial: format!("SP-{name:.17}"),
        }
    }
}
