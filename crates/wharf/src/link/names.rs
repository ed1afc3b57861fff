//! What the daemon is asked of names that a user gives, and of requests.

use wharf_control::focus::{FocusList, FocusReport, FocusRequest};
use wharf_control::names::{AliasList, AliasRequest, TcpList, TcpRequest};
use wharf_control::requests::{InspectRequest, Inspecting, RequestList};
use wharf_control::{Client, RequestStream};
use wharf_model::{Lease, PathText, Port, focus};

use super::{Link, report};
use crate::report::Report;

impl Link {
    /// Every alias.
    pub(crate) async fn aliases(&self) -> Result<AliasList, Report> {
        self.call(Client::aliases).await
    }

    /// Has a name lead there.
    pub(crate) async fn put_alias(
        &self,
        name: &str,
        target: String,
        checkout: Option<PathText>,
    ) -> Result<AliasList, Report> {
        let to = AliasRequest { target, checkout };
        self.call(async |client| client.put_alias(name, &to).await).await
    }

    /// Takes an alias away.
    pub(crate) async fn delete_alias(&self, name: &str) -> Result<AliasList, Report> {
        self.call(async |client| client.delete_alias(name).await).await
    }

    /// Every name for TCP.
    pub(crate) async fn tcp_names(&self) -> Result<TcpList, Report> {
        self.call(Client::tcp_names).await
    }

    /// Has a name for TCP lead there.
    pub(crate) async fn put_tcp_name(&self, name: &str, to: TcpRequest) -> Result<TcpList, Report> {
        self.call(async |client| client.put_tcp_name(name, &to).await).await
    }

    /// Takes a name for TCP away.
    pub(crate) async fn delete_tcp_name(&self, name: &str) -> Result<TcpList, Report> {
        self.call(async |client| client.delete_tcp_name(name).await).await
    }

    /// Every port that leads to the checkout of the user's choice.
    pub(crate) async fn focuses(&self) -> Result<FocusList, Report> {
        self.call(Client::focuses).await
    }

    /// Leads such a port there.
    pub(crate) async fn put_focus(
        &self,
        port: Port,
        to: FocusRequest,
    ) -> Result<FocusList, Report> {
        self.call(async |client| client.put_focus(port, &to).await).await
    }

    /// Gives such a port back.
    pub(crate) async fn delete_focus(&self, port: Port) -> Result<FocusList, Report> {
        self.call(async |client| client.delete_focus(port).await).await
    }

    /// Where those of these leases lead that are such ports'; nobody is asked where none is.
    pub(crate) async fn focused(leases: &[Lease]) -> Result<Vec<FocusReport>, Report> {
        let is_one =
            |lease: &Lease| lease.key.as_ref().is_some_and(|key| focus::is_focus(&key.project));
        match leases.iter().any(is_one) {
            true => Ok(Link::open().await?.focuses().await?.focuses),
            false => Ok(Vec::new()),
        }
    }

    /// The requests that are kept.
    pub(crate) async fn kept_requests(&self) -> Result<RequestList, Report> {
        self.call(Client::kept_requests).await
    }

    /// Has requests kept although nobody looks, or no longer.
    pub(crate) async fn inspect(&self, inspect: bool) -> Result<Inspecting, Report> {
        let request = InspectRequest { inspect };
        self.call(async |client| client.inspect(&request).await).await
    }

    /// The requests from now on: of this daemon, without a second try.
    pub(crate) async fn requests(&self) -> Result<RequestStream, Report> {
        self.client.requests().await.map_err(report)
    }
}
