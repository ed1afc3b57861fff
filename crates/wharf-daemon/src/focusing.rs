//! What is asked of ports that lead to the checkout of the user's choice, and how it is folded into the
//! state.

use hyper::body::Incoming;
use hyper::{Method, Request};
use wharf_control::api::SCHEMA;
use wharf_control::focus::{FOCUS, FocusList, FocusReport, FocusRequest};
use wharf_control::{Code, ErrorBody};
use wharf_model::{Focus, Port};

use crate::clock;
use crate::connection::Caller;
use crate::coordinator::Coordinator;
use crate::event::{Event, Reply};
use crate::focus;
use crate::route::{Answer, ask, read};

/// One question about such ports, or one order.
#[derive(Debug)]
pub(crate) enum Focusing {
    /// Where they lead.
    List(Reply<FocusList>),
    /// A port is to lead there.
    Put(Port, FocusRequest, Reply<FocusList>),
    /// A port is to be given back.
    Delete(Port, Reply<FocusList>),
}

impl Focusing {
    /// Answers whoever waits that it is too late.
    pub(crate) fn refuse(self, refusal: ErrorBody) {
        match self {
            Focusing::List(reply) | Focusing::Put(_, _, reply) | Focusing::Delete(_, reply) => {
                drop(reply.send(Err(refusal)));
            }
        }
    }
}

/// The port that a path names.
pub(crate) fn port_of(path: &str) -> Option<Port> {
    let text = path.strip_prefix(FOCUS)?;
    let port: Port = text.parse().ok()?;
    (port.to_string() == text).then_some(port)
}

/// Answers a request for such a path.
pub(crate) async fn answer(
    request: Request<Incoming>,
    port: Port,
    caller: &Caller,
) -> Result<Answer, ErrorBody> {
    if request.method() == Method::DELETE {
        return ask(caller, |reply| Event::Focus(Focusing::Delete(port, reply))).await;
    }
    let body: FocusRequest = read(request).await?;
    ask(caller, |reply| Event::Focus(Focusing::Put(port, body, reply))).await
}

impl Coordinator {
    /// Folds one of them. Whoever asked and no longer waits needs no answer.
    pub(crate) fn focusing(&mut self, asked: Focusing) {
        match asked {
            Focusing::List(reply) => {
                let focuses = self.ledger.table().focuses().map(|focus| self.focus(focus));
                drop(reply.send(Ok(FocusList { schema: SCHEMA, focuses: focuses.collect() })));
            }
            Focusing::Put(port, body, reply) => drop(reply.send(self.put_focus(port, body))),
            Focusing::Delete(port, reply) => drop(reply.send(self.delete_focus(port))),
        }
    }

    fn focus(&self, focus: &Focus) -> FocusReport {
        self.gateway.focuses.report(focus, self.ledger.table())
    }

    fn put_focus(&mut self, port: Port, body: FocusRequest) -> Result<FocusList, ErrorBody> {
        let FocusRequest { key, tcp, agent } = body;
        let instance = focus::instance(&key, self.ledger.table().instances());
        if !instance.is_some_and(|instance| instance.state.is_live()) {
            return Err(ErrorBody::new(Code::NotFound, format!("{key} does not run")));
        }
        let before = self.ledger.table().focus_on(port).cloned();
        if before.is_none() {
            self.refuse_own(port.get())?;
        }
        let now = clock::now();
        let agent = match &before {
            Some(before) => before.agent.clone(),
            None => agent,
        };
        let focus = Focus { port, key, tcp, since: now.wall_s, agent };
        self.ledger.put_focus(focus.clone(), now).map_err(|error| {
            let help = "give one back: `wharf focus --off --port N`".to_owned();
            ErrorBody { help: Some(help), ..ErrorBody::new(Code::NameTaken, error.to_string()) }
        })?;
        // Whether it listens is part of the answer.
        self.rerouted = true;
        self.reroute();
        match self.gateway.focuses.refused(port) {
            Some(error) if before.is_none() => {
                self.ledger.delete_focus(port, now);
                self.rerouted = true;
                Err(error)
            }
            _ => Ok(FocusList { schema: SCHEMA, focuses: vec![self.focus(&focus)] }),
        }
    }

    fn delete_focus(&mut self, port: Port) -> Result<FocusList, ErrorBody> {
        let known = self.ledger.table().focus_on(port).map(|focus| self.focus(focus));
        let report = known.ok_or_else(|| {
            let message = format!("port {port} is not held by `wharf focus`");
            let body = ErrorBody::new(Code::NotFound, message);
            ErrorBody { help: Some("`wharf focus --list` shows what is".to_owned()), ..body }
        })?;
        self.ledger.delete_focus(port, clock::now());
        self.rerouted = true;
        Ok(FocusList { schema: SCHEMA, focuses: vec![report] })
    }
}
