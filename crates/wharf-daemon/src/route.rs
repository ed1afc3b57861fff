//! Which request means which event.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use wharf_control::api::{
    EVENTS, HAND_OVER, INSTANCES, LEASE_BATCH, LEASES, MAX_REQUEST_BODY, PROXY, RELEASE, SCHEMA,
    SNAPSHOT, STATUS, STOP, TRUST,
};
use wharf_control::error::ErrorReply;
use wharf_control::focus::FOCUSES;
use wharf_control::names::{ALIASES, TCP_NAMES};
use wharf_control::requests::{INSPECT, InspectRequest, KEPT, REQUESTS};
use wharf_control::{Code, ErrorBody};
use wharf_model::Instance;

use crate::connection::Caller;
use crate::event::{Event, Reply};
use crate::focusing::{self, Focusing};
use crate::given::{self, Asked};
use crate::subscriber::{Lines, subscribe};

/// How long a request's body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest id of an instance, in bytes.
const MAX_ID: usize = 128;

/// What goes back.
pub(crate) type Answer = Response<Either<Full<Bytes>, Lines>>;

/// Answers one request.
pub(crate) async fn answer(request: Request<Incoming>, caller: &Caller) -> Answer {
    if !caller.allowed {
        return refused(ErrorBody::new(Code::Forbidden, "this daemon is another user's"));
    }
    let methods = methods(request.uri().path());
    if methods.is_empty() {
        let message = format!("there is no {}", request.uri().path());
        return refused(ErrorBody::new(Code::NotFound, message));
    }
    if !methods.contains(request.method()) {
        let allowed: Vec<&str> = methods.iter().map(Method::as_str).collect();
        let allowed = allowed.join(", ");
        let message = format!("{} takes {allowed}", request.uri().path());
        let mut answer = refused(ErrorBody::new(Code::MethodNotAllowed, message));
        if let Ok(allowed) = HeaderValue::from_str(&allowed) {
            answer.headers_mut().insert(ALLOW, allowed);
        }
        return answer;
    }
    dispatch(request, caller).await.unwrap_or_else(refused)
}

fn methods(path: &str) -> &'static [Method] {
    match path {
        STATUS | SNAPSHOT | EVENTS | PROXY => &[Method::GET],
        ALIASES | TCP_NAMES | FOCUSES | REQUESTS | KEPT => &[Method::GET],
        LEASES | LEASE_BATCH | RELEASE | STOP | HAND_OVER | TRUST | INSPECT => &[Method::POST],
        path if instance_id(path).is_some()
            || given::is_name(path)
            || focusing::port_of(path).is_some() =>
        {
            &[Method::PUT, Method::DELETE]
        }
        _ => &[],
    }
}

fn instance_id(path: &str) -> Option<&str> {
    let id = path.strip_prefix(INSTANCES)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (!id.is_empty() && id.len() <= MAX_ID && id.bytes().all(plain)).then_some(id)
}

async fn dispatch(request: Request<Incoming>, caller: &Caller) -> Result<Answer, ErrorBody> {
    let path = request.uri().path().to_owned();
    if let Some(port) = focusing::port_of(&path) {
        return focusing::answer(request, port, caller).await;
    }
    match path.as_str() {
        STATUS => ask(caller, Event::Status).await,
        SNAPSHOT => ask(caller, Event::Snapshot).await,
        PROXY => ask(caller, Event::Proxy).await,
        TRUST => ask(caller, Event::Trust).await,
        STOP => ask(caller, Event::Stop).await,
        HAND_OVER => ask(caller, Event::HandOver).await,
        EVENTS => Ok(stream(subscribe(caller.notices.subscribe()))),
        ALIASES => ask(caller, |reply| Event::Given(Asked::Aliases(reply))).await,
        TCP_NAMES => ask(caller, |reply| Event::Given(Asked::Services(reply))).await,
        FOCUSES => ask(caller, |reply| Event::Focus(Focusing::List(reply))).await,
        REQUESTS => Ok(stream(caller.requests.follow())),
        KEPT => Ok(json(StatusCode::OK, &caller.requests.kept())),
        INSPECT => {
            let InspectRequest { inspect } = read(request).await?;
            Ok(json(StatusCode::OK, &caller.requests.inspect(inspect)))
        }
        path if given::is_name(path) => given::answer(request, caller).await,
        LEASES => {
            let body = Box::new(read(request).await?);
            ask(caller, |reply| Event::Lease(body, reply)).await
        }
        LEASE_BATCH => {
            let body = read(request).await?;
            ask(caller, |reply| Event::LeaseAll(body, reply)).await
        }
        RELEASE => {
            let body = Box::new(read(request).await?);
            ask(caller, |reply| Event::Release(body, reply)).await
        }
        path => {
            let id = instance_id(path).unwrap_or_default().to_owned();
            if request.method() == Method::DELETE {
                return ask(caller, |reply| Event::DeleteInstance(id, reply)).await;
            }
            let instance: Box<Instance> = Box::new(read(request).await?);
            if instance.id != id {
                let message = format!("the path names instance `{id}`, the body `{}`", instance.id);
                return Err(ErrorBody::new(Code::BadRequest, message));
            }
            ask(caller, |reply| Event::PutInstance(instance, reply)).await
        }
    }
}

/// Hands the event to the coordinator and waits for its answer.
pub(crate) async fn ask<T: Serialize>(
    caller: &Caller,
    event: impl FnOnce(Reply<T>) -> Event,
) -> Result<Answer, ErrorBody> {
    let ending = || ErrorBody::new(Code::Stopping, "the daemon is ending");
    let (reply, answer) = oneshot::channel();
    caller.events.send(event(reply)).await.map_err(|_| ending())?;
    let answer = answer.await.map_err(|_| ending())??;
    Ok(json(StatusCode::OK, &answer))
}

pub(crate) async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, ErrorBody> {
    let too_large = || {
        let message = format!("a body may have {MAX_REQUEST_BODY} bytes at most");
        ErrorBody::new(Code::TooLarge, message)
    };
    let body = request.into_body();
    if body.size_hint().lower() > MAX_REQUEST_BODY as u64 {
        return Err(too_large());
    }
    let collected = Limited::new(body, MAX_REQUEST_BODY).collect();
    let body = match tokio::time::timeout(BODY_TIMEOUT, collected).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
        Ok(Err(error)) => return Err(ErrorBody::new(Code::BadRequest, error.to_string())),
        Err(_) => return Err(ErrorBody::new(Code::Timeout, "the body did not arrive in time")),
    };
    serde_json::from_slice(&body).map_err(|error| {
        ErrorBody::new(Code::BadRequest, format!("the body is not what is expected: {error}"))
    })
}

fn stream(lines: Lines) -> Answer {
    let mut answer = Response::new(Either::Right(lines));
    let kind = HeaderValue::from_static("application/x-ndjson");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

fn refused(error: ErrorBody) -> Answer {
    let status = StatusCode::from_u16(error.code.http_status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, &ErrorReply { schema: SCHEMA, error })
}

fn json(status: StatusCode, document: &impl Serialize) -> Answer {
    match serde_json::to_vec(document) {
        Ok(body) => {
            let mut answer = Response::new(Either::Left(Full::new(Bytes::from(body))));
            *answer.status_mut() = status;
            let kind = HeaderValue::from_static("application/json");
            answer.headers_mut().insert(CONTENT_TYPE, kind);
            answer
        }
        Err(error) => refused(ErrorBody::new(Code::Internal, error.to_string())),
    }
}
