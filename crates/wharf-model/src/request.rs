//! What a service asks for: the port request.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::port::{Port, PortError};

/// Which port is wanted, and how firmly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortRequest {
    /// This port or an error that names the holder (`--port 9000`, or a port that the user typed).
    Exactly(Port),
    /// This port or the next free one (`--port 9000+`).
    AtLeast(Port),
    /// The framework's conventional port by the whole policy: conventional, home, next free.
    Conventional(Port),
    /// The service's home; without one, this port or the next free one (`wharf port --service`).
    Remembered(Port),
}

impl PortRequest {
    /// The port that is wanted first.
    pub fn wanted(self) -> Port {
        match self {
            PortRequest::Exactly(port)
            | PortRequest::AtLeast(port)
            | PortRequest::Conventional(port)
            | PortRequest::Remembered(port) => port,
        }
    }
}

impl PortRequest {
    /// Whether no other port will do.
    pub fn is_exact(self) -> bool {
        matches!(self, PortRequest::Exactly(_))
    }
}

impl fmt::Display for PortRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortRequest::Exactly(port) => write!(f, "{port}"),
            PortRequest::AtLeast(port) => write!(f, "{port}+"),
            PortRequest::Conventional(port) => write!(f, "auto (conventionally {port})"),
            PortRequest::Remembered(port) => write!(f, "the remembered one, or {port}+"),
        }
    }
}

/// What `--port` was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PortArgument {
    /// `N`
    Exactly(Port),
    /// `N+`
    AtLeast(Port),
    /// `auto`: also sets aside a port that stands in the command or the project.
    Auto,
}

impl fmt::Display for PortArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortArgument::Exactly(port) => write!(f, "{port}"),
            PortArgument::AtLeast(port) => write!(f, "{port}+"),
            PortArgument::Auto => f.write_str("auto"),
        }
    }
}

impl From<PortArgument> for String {
    fn from(argument: PortArgument) -> String {
        argument.to_string()
    }
}

impl TryFrom<String> for PortArgument {
    type Error = PortError;

    fn try_from(text: String) -> Result<PortArgument, PortError> {
        text.parse()
    }
}

impl FromStr for PortArgument {
    type Err = PortError;

    fn from_str(text: &str) -> Result<PortArgument, PortError> {
        if text == "auto" {
            return Ok(PortArgument::Auto);
        }
        match text.strip_suffix('+') {
            Some(number) => number.parse().map(PortArgument::AtLeast),
            None => text.parse().map(PortArgument::Exactly),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_port() {
        let port = Port::new(9000).unwrap();
        assert_eq!("9000".parse(), Ok(PortArgument::Exactly(port)));
        assert_eq!("9000+".parse(), Ok(PortArgument::AtLeast(port)));
        assert_eq!("auto".parse(), Ok(PortArgument::Auto));
        assert_eq!("0".parse::<PortArgument>(), Err(PortError::Zero));
        assert!("+".parse::<PortArgument>().is_err());
        assert!("9000++".parse::<PortArgument>().is_err());
    }
}
