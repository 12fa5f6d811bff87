//! How a verb fails.

use serde_json::{Value, json};

/// An error of a verb: QMP's class, a line for people, and where it matters a reason that a program may decide on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerbError {
    class: &'static str,
    description: String,
    reason: Option<&'static str>,
}

/// The tray is locked by the guest.
pub const LOCKED: &str = "locked";
/// There is no medium in the drive.
pub const NO_MEDIUM: &str = "no-medium";
/// The file is no image that Spindle knows.
pub const NOT_RECOGNISED: &str = "not-recognised";

impl VerbError {
    /// Class `GenericError`.
    #[must_use]
    pub fn generic(description: impl Into<String>) -> Self {
        Self { class: "GenericError", description: description.into(), reason: None }
    }

    /// Class `CommandNotFound`.
    #[must_use]
    pub fn not_found(command: &str) -> Self {
        let description = format!("The command {command} has not been found");
        Self { class: "CommandNotFound", description, reason: None }
    }

    /// What any command but `qmp_capabilities` gets first.
    #[must_use]
    pub fn not_negotiated() -> Self {
        let description = "Expecting capabilities negotiation with 'qmp_capabilities'".to_owned();
        Self { class: "CommandNotFound", description, reason: None }
    }

    /// What a second `qmp_capabilities` gets.
    #[must_use]
    pub fn negotiated_already() -> Self {
        let description = "Capabilities negotiation is already complete, command ignored".to_owned();
        Self { class: "CommandNotFound", description, reason: None }
    }

    /// Class `PasswordRequired`: none was given, or it was `wrong`. The client may ask its user and try again.
    #[must_use]
    pub fn password_required(description: impl Into<String>, wrong: bool) -> Self {
        let reason = if wrong { "password-wrong" } else { "password-missing" };
        Self { class: "PasswordRequired", description: description.into(), reason: Some(reason) }
    }

    /// Class `DeviceNotFound`.
    #[must_use]
    pub fn no_device(device: &str) -> Self {
        Self { class: "DeviceNotFound", description: format!("Device '{device}' not found"), reason: None }
    }

    /// With a machine-readable reason: `reason` beside `class` and `desc`, which QMP clients ignore.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// As the value of `error` in an answer.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "class": self.class, "desc": self.description });
        if let Some(reason) = self.reason {
            error["reason"] = reason.into();
        }
        error
    }
}
