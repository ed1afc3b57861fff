//! Wharf for agents: six tools over the Model Context Protocol, each of which is one command.
//!
//! A tool runs this very program with `--json`, in the folder that it is about, and does not call the
//! command's code: every command answers for the one current folder of its process, `wharf up` forks before
//! there is a runtime and takes signals for its own, and answers go to the standard output, which belongs to the
//! protocol here. So an agent is told what a script is told, and what goes wrong in a command ends that command.

mod answer;
mod arguments;
mod call;
mod session;
mod tool;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::{QuitReason, RequestContext, ServerInitializeError};
use rmcp::{RoleServer, ServerHandler, ServiceExt};
use tokio::sync::Semaphore;

use crate::pilot::{Caller, Orders};
use crate::report::{Code, Report};
use crate::{narrate, version};
use arguments::Arguments;
use call::Call;
use session::Session;
use tool::Tool;

/// How many tools work at the same time; further calls wait for one of them to end.
const CALLS_MAX: u32 = 8;

/// How long calls that are told to end may take for it: a little more than the last of them is given.
const END: Duration = Duration::from_secs(35);

/// What an agent is told about the server as a whole.
const INSTRUCTIONS: &str = "\
wharf runs this project's dev servers on leased ports, so that several checkouts and agents do not \
collide. Start servers with `up` (safe to repeat: what runs already is left alone), get URLs from its \
answer or from `list`, and never guess a port. Never kill a process by its name or port: `stop` ends \
what this checkout runs, `who` tells who holds a port. `logs` shows what servers have put out.";

/// Answers one client until it has gone. Gives the exit code.
///
/// # Errors
/// The client does not speak the protocol.
pub(crate) async fn serve(folder: PathBuf, caller: &Caller) -> Result<u8, Report> {
    let orders = Orders::take(caller)?;
    let calls = Arc::new(Semaphore::new(CALLS_MAX as usize));
    let server = Server { folder, session: Session::new(), calls: calls.clone() };
    let service = tokio::select! {
        service = server.serve(rmcp::transport::stdio()) => service,
        code = orders.ended_by() => end_now(code),
    };
    let service = match service {
        Ok(service) => service,
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(0),
        Err(error) => return Err(unserved(&error)),
    };
    let stop = service.cancellation_token();
    let mut waiting = Box::pin(service.waiting());
    let (quit, code) = tokio::select! {
        quit = &mut waiting => (quit, 0),
        code = orders.ended_by() => {
            stop.cancel();
            (waiting.await, code)
        }
    };
    // Whoever still works has been told to end by now.
    let ended = tokio::time::timeout(END, calls.acquire_many(CALLS_MAX)).await;
    if ended.is_err() {
        narrate::warning("a command of a tool does not end, and is left alone");
    }
    if code != 0 {
        end_now(code);
    }
    match quit {
        Ok(QuitReason::JoinError(error)) | Err(error) => {
            Err(Report::bug("the protocol ended by itself", &error))
        }
        Ok(_) => Ok(0),
    }
}

/// Ends by a signal's code. The thread that reads the standard input cannot be told to, and a runtime that ends
/// in order would wait for it until the client speaks.
fn end_now(code: u8) -> ! {
    std::process::exit(i32::from(code))
}

fn unserved(error: &ServerInitializeError) -> Report {
    Report::new(Code::Failed, "the client does not begin as the protocol says")
        .because(error)
        .help("`wharf mcp` is for agents: `claude mcp add wharf -- wharf mcp` registers it")
}

/// One client's server.
struct Server {
    /// Where it was started.
    folder: PathBuf,
    session: Session,
    calls: Arc<Semaphore>,
}

impl Server {
    async fn answer(
        &self,
        tool: Tool,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<answer::Answer, Report> {
        let mut arguments = Arguments::new(tool.name(), request.arguments.unwrap_or_default());
        let dir = arguments.folder(&self.folder)?;
        let line = tool.line(&mut arguments)?;
        arguments.finish()?;
        let call = Call { line, dir, variables: self.session.variables(context) };
        answer::of(call.run(context).await?)
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(
                Implementation::new("wharf", version::own()).with_title("wharf: dev servers"),
            )
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = Tool::ALL.into_iter().map(Tool::definition).collect();
        Ok(ListToolsResult::with_all_items(tools))
    }

    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        Tool::named(name).map(Tool::definition)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = Tool::named(&request.name) else {
            let names: Vec<&str> = Tool::ALL.into_iter().map(Tool::name).collect();
            let what = format!("there is no such tool; the tools are: {}", names.join(", "));
            return Err(ErrorData::invalid_params(what, None));
        };
        // Closed by nobody.
        let Ok(_turn) = self.calls.acquire().await else {
            return Err(ErrorData::internal_error("the server ends", None));
        };
        let answer = self.answer(tool, request, &context).await;
        Ok(answer.unwrap_or_else(answer::Answer::failure).into())
    }
}
