//! From the ledger's reasons to the words of the wire.

use wharf_control::{Code, ErrorBody};
use wharf_lease::{Refusal, ReleaseError, Request};
use wharf_model::Holder;

/// Why no port was given.
pub(crate) fn of_request(refusal: Refusal) -> ErrorBody {
    let message = refusal.to_string();
    match refusal {
        Refusal::Taken { port, holder, .. } => ErrorBody {
            port: Some(port.get()),
            holder: Some(holder),
            ..body(Code::PortTaken, message)
        },
        Refusal::InstanceLive { key, port, owner } => ErrorBody {
            port: Some(port.get()),
            holder: Some(Box::new(Holder {
                key: Some(*key),
                pid: Some(owner.pid),
                ..Holder::default()
            })),
            ..body(Code::InstanceRunning, message)
        },
        Refusal::Denied { port } => {
            ErrorBody { port: Some(port.get()), ..body(Code::PermissionDenied, message) }
        }
        Refusal::NoFreePort { wanted, .. } => {
            ErrorBody { port: Some(wanted.get()), ..body(Code::NoFreePort, message) }
        }
        Refusal::RequestIdReused => body(Code::RequestIdReused, message),
        Refusal::Malformed(_) => body(Code::BadRequest, message),
    }
}

/// Why a whole project got no ports: what one of its services was refused.
pub(crate) fn of_one_of(request: &Request, refusal: Refusal) -> ErrorBody {
    let mut error = of_request(refusal);
    if let Some(key) = &request.key {
        error.message = format!("`{}`: {}", key.service, error.message);
    }
    error
}

/// Why nothing was released.
pub(crate) fn of_release(error: ReleaseError) -> ErrorBody {
    let message = error.to_string();
    match error {
        ReleaseError::NotFound => body(Code::NotFound, message),
        ReleaseError::NotLeased { .. } => ErrorBody {
            help: Some("`wharf ls` shows what is leased; nothing was released".to_owned()),
            ..body(Code::NotFound, message)
        },
        ReleaseError::Held { port, holder } => ErrorBody {
            port: Some(port.get()),
            holder: Some(holder),
            help: Some("end that process, and the port is free".to_owned()),
            ..body(Code::LeaseHeld, message)
        },
    }
}

fn body(code: Code, message: String) -> ErrorBody {
    ErrorBody::new(code, message)
}
