//! What is asked of the names that a user gives, and how it is folded into the state.

use hyper::body::Incoming;
use hyper::{Method, Request};
use wharf_control::api::SCHEMA;
use wharf_control::names::{
    ALIAS, AliasList, AliasReport, AliasRequest, TCP_NAME, TcpList, TcpReport, TcpRequest,
};
use wharf_control::{Code, ErrorBody};
use wharf_lease::TooManyNames;
use wharf_model::{Alias, Target, TcpName, alias, name};

use crate::aliases;
use crate::clock;
use crate::connection::Caller;
use crate::coordinator::Coordinator;
use crate::event::{Event, Reply};
use crate::route::{Answer, ask, read};
use crate::services;

/// One question about names, or one order.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Which aliases there are.
    Aliases(Reply<AliasList>),
    /// A name is to lead there.
    PutAlias(String, AliasRequest, Reply<AliasList>),
    /// An alias is to be no more.
    DeleteAlias(String, Reply<AliasList>),
    /// Which names for TCP there are.
    Services(Reply<TcpList>),
    /// A name for TCP is to lead there.
    PutService(String, TcpRequest, Reply<TcpList>),
    /// A name for TCP is to be no more.
    DeleteService(String, Reply<TcpList>),
}

impl Asked {
    /// Answers whoever waits that it is too late.
    pub(crate) fn refuse(self, refusal: ErrorBody) {
        match self {
            Asked::Aliases(reply) | Asked::PutAlias(_, _, reply) | Asked::DeleteAlias(_, reply) => {
                drop(reply.send(Err(refusal)))
            }
            Asked::Services(reply)
            | Asked::PutService(_, _, reply)
            | Asked::DeleteService(_, reply) => drop(reply.send(Err(refusal))),
        }
    }
}

/// Whether a path is that of one name.
pub(crate) fn is_name(path: &str) -> bool {
    let name = path.strip_prefix(ALIAS).or_else(|| path.strip_prefix(TCP_NAME));
    name.is_some_and(|name| alias::parse_name(name).as_deref() == Ok(name))
}

/// Answers a request for such a path.
pub(crate) async fn answer(
    request: Request<Incoming>,
    caller: &Caller,
) -> Result<Answer, ErrorBody> {
    let path = request.uri().path().to_owned();
    let delete = request.method() == Method::DELETE;
    if let Some(name) = path.strip_prefix(ALIAS) {
        let name = name.to_owned();
        if delete {
            return ask(caller, |reply| Event::Given(Asked::DeleteAlias(name, reply))).await;
        }
        let body: AliasRequest = read(request).await?;
        return ask(caller, |reply| Event::Given(Asked::PutAlias(name, body, reply))).await;
    }
    let name = path.strip_prefix(TCP_NAME).unwrap_or_default().to_owned();
    if delete {
        return ask(caller, |reply| Event::Given(Asked::DeleteService(name, reply))).await;
    }
    let body: TcpRequest = read(request).await?;
    ask(caller, |reply| Event::Given(Asked::PutService(name, body, reply))).await
}

impl Coordinator {
    /// Folds one of them. Whoever asked and no longer waits needs no answer.
    pub(crate) fn given(&mut self, asked: Asked) {
        match asked {
            Asked::Aliases(reply) => {
                let aliases = self.ledger.table().aliases().map(|alias| self.alias(alias));
                drop(reply.send(Ok(AliasList { schema: SCHEMA, aliases: aliases.collect() })));
            }
            Asked::PutAlias(name, body, reply) => drop(reply.send(self.put_alias(name, &body))),
            Asked::DeleteAlias(name, reply) => drop(reply.send(self.delete_alias(&name))),
            Asked::Services(reply) => {
                let names = self.ledger.table().tcp_names();
                let services = names.map(|named| self.gateway.services.report(named)).collect();
                drop(reply.send(Ok(TcpList { schema: SCHEMA, services })));
            }
            Asked::PutService(name, body, reply) => {
                drop(reply.send(self.put_service(name, &body)));
            }
            Asked::DeleteService(name, reply) => drop(reply.send(self.delete_service(&name))),
        }
    }

    fn alias(&self, alias: &Alias) -> AliasReport {
        aliases::report(alias, self.gateway.ports(), self.ledger.table().instances())
    }

    fn put_alias(&mut self, name: String, body: &AliasRequest) -> Result<AliasList, ErrorBody> {
        let target = Target::parse(&body.target)
            .map_err(|error| ErrorBody::new(Code::BadRequest, error.to_string()))?;
        self.refuse_own(target.port.get())?;
        if let Some(instance) = aliases::shadow(&name, self.ledger.table().instances()) {
            let message = format!("`{name}.{}` is the name of an instance that runs", name::TLD);
            return Err(ErrorBody {
                port: Some(instance.port),
                help: Some(format!("choose another name, or end it first: `wharf stop {name}`")),
                ..ErrorBody::new(Code::NameTaken, message)
            });
        }
        let known = self.ledger.table().aliases().find(|alias| alias.name == name);
        if let (Some(known), Some(_)) = (known, &body.checkout)
            && known.checkout != body.checkout
        {
            let whose = match &known.checkout {
                Some(checkout) => format!("{checkout} declares it"),
                None => "it was given by hand".to_owned(),
            };
            let message = format!("it leads to {} already: {whose}", known.target);
            let help = format!("`wharf alias --remove {name}` takes it away");
            return Err(ErrorBody { help: Some(help), ..ErrorBody::new(Code::NameTaken, message) });
        }
        let checkout = body.checkout.clone();
        let alias = Alias { name, target, since: clock::now().wall_s, checkout };
        self.ledger.put_alias(alias.clone(), clock::now()).map_err(too_many)?;
        self.rerouted = true;
        Ok(AliasList { schema: SCHEMA, aliases: vec![self.alias(&alias)] })
    }

    fn delete_alias(&mut self, name: &str) -> Result<AliasList, ErrorBody> {
        let known = self.ledger.table().aliases().find(|alias| alias.name == name);
        let report = known.map(|alias| self.alias(alias)).ok_or_else(|| {
            let body = ErrorBody::new(Code::NotFound, format!("there is no alias `{name}`"));
            ErrorBody { help: Some("`wharf alias` lists them".to_owned()), ..body }
        })?;
        self.ledger.delete_alias(name, clock::now());
        self.rerouted = true;
        Ok(AliasList { schema: SCHEMA, aliases: vec![report] })
    }

    fn put_service(&mut self, name: String, body: &TcpRequest) -> Result<TcpList, ErrorBody> {
        match body.to {
            Some(port) => self.refuse_own(port.get())?,
            None if services::instance(&name, self.ledger.table().instances()).is_none() => {
                let body = ErrorBody::new(
                    Code::NotFound,
                    format!("no instance that runs or ran lately is named `{name}`"),
                );
                let help = format!("name its port: `wharf tcp {name} PORT`");
                return Err(ErrorBody { help: Some(help), ..body });
            }
            None => {}
        }
        let named =
            TcpName { name, to: body.to, since: clock::now().wall_s, agent: body.agent.clone() };
        self.ledger.put_tcp_name(named.clone(), clock::now()).map_err(too_many)?;
        // Its port is part of the answer.
        self.rerouted = true;
        self.reroute();
        Ok(services_of(self.gateway.services.report(&named)))
    }

    fn delete_service(&mut self, name: &str) -> Result<TcpList, ErrorBody> {
        let known = self.ledger.table().tcp_names().find(|named| named.name == name);
        let report = known.map(|named| self.gateway.services.report(named)).ok_or_else(|| {
            let message = format!("there is no TCP service `{name}`");
            let body = ErrorBody::new(Code::NotFound, message);
            ErrorBody { help: Some("`wharf tcp` lists them".to_owned()), ..body }
        })?;
        self.ledger.delete_tcp_name(name, clock::now());
        self.rerouted = true;
        Ok(services_of(report))
    }

    /// What is led to a port of the proxy's own would come back for ever.
    pub(crate) fn refuse_own(&self, port: u16) -> Result<(), ErrorBody> {
        if !self.gateway.has(port) {
            return Ok(());
        }
        let message = format!("port {port} is one of wharf's own");
        let help = "name the port of the server itself; `wharf proxy status` lists wharf's";
        Err(ErrorBody { help: Some(help.to_owned()), ..ErrorBody::new(Code::NameTaken, message) })
    }
}

fn services_of(report: TcpReport) -> TcpList {
    TcpList { schema: SCHEMA, services: vec![report] }
}

fn too_many(error: TooManyNames) -> ErrorBody {
    let body = ErrorBody::new(Code::NameTaken, error.to_string());
    ErrorBody { help: Some("remove some with `--remove NAME`".to_owned()), ..body }
}
