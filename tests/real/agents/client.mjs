// What agents get of `wharf mcp`, by the official client of the Model Context Protocol: it checks each answer by the
// schema that the server has published. Two agents work on one project, each in a worktree of its own.
//
//   node client.mjs PARTS WHARF WORK
//
// WORK has the worktrees `one` and `two` of one project. Says what it has seen, one line for each check; ends with 1 at
// the first that fails. Nothing is left running.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

const [parts, wharf, work] = process.argv.slice(2);
const sdk = path.join(parts, "mcp/node_modules/@modelcontextprotocol/sdk/dist/esm");
const { Client } = await import(path.join(sdk, "client/index.js"));
const { StdioClientTransport } = await import(path.join(sdk, "client/stdio.js"));

// How long a project may take, in milliseconds.
const START = 120_000;

let passed = 0;
async function check(what, test) {
    try {
        await test();
    } catch (error) {
        console.error(`FAILED ${what}\n${error.stack}`);
        process.exitCode = 1;
        throw error;
    }
    passed += 1;
    console.log(`ok ${what}`);
}

// One agent, in its worktree.
class Agent {
    static async start(name) {
        const transport = new StdioClientTransport({
            command: wharf,
            args: ["mcp"],
            cwd: path.join(work, name),
            env: { PATH: process.env.PATH, HOME: process.env.HOME, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR },
            stderr: "inherit",
        });
        const agent = new Agent();
        agent.name = name;
        agent.client = new Client({ name: `agent-${name}`, version: "1.0.0" });
        agent.strays = [];
        agent.client.onerror = (error) => agent.strays.push(error);
        await agent.client.connect(transport);
        agent.tools = (await agent.client.listTools()).tools;
        return agent;
    }

    call(tool, args = {}, options = {}) {
        const timeout = { timeout: START, ...options };
        return this.client.callTool({ name: tool, arguments: args }, undefined, timeout);
    }

    // The document of a tool that has done what it was asked for.
    async done(tool, args, options) {
        const result = await this.call(tool, args, options);
        assert.notEqual(result.isError, true, JSON.stringify(result));
        assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
        assert.equal(result.structuredContent.schema, 1);
        return result.structuredContent;
    }

    // The error of a tool that has not.
    async refused(tool, args) {
        const result = await this.call(tool, args);
        assert.equal(result.isError, true, JSON.stringify(result));
        const { error } = result.structuredContent;
        assert.ok(error.what.length > 0 && result.content[0].text.includes(error.what));
        return error;
    }

    // Its own instances.
    async own() {
        const { instances } = await this.done("list");
        return instances.filter(({ root }) => root === path.join(work, this.name));
    }
}

// What the command line says to the same question.
async function script(folder, ...args) {
    const child = spawn(wharf, [...args, "--json"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (bytes) => (text += bytes));
    await once(child, "close");
    return JSON.parse(text);
}

const service = (document, name) => document.instances.find((instance) => instance.service === name);
const text = async (url) => (await fetch(url)).text();

const one = await Agent.start("one");
const two = await Agent.start("two");

await check("initialize: the server's name, its tools, what to do", () => {
    assert.equal(one.client.getServerVersion().name, "wharf");
    assert.ok(one.client.getInstructions().includes("Never kill a process"));
    assert.ok(one.client.getServerCapabilities().tools);
});

await check("tools/list: six tools, each with schemas and hints", () => {
    const names = one.tools.map((tool) => tool.name);
    assert.deepEqual(names, ["up", "list", "who", "logs", "stop", "requests"]);
    for (const tool of one.tools) {
        assert.ok(tool.description.length > 40 && tool.outputSchema && tool.title);
        assert.equal(typeof tool.annotations.readOnlyHint, "boolean");
    }
    assert.equal(one.tools.find(({ name }) => name === "stop").annotations.destructiveHint, true);
});

await check("ping", () => one.client.ping());

const told = [];
let first, second;
await check("up: two agents at once in two worktrees, Django and http.server, each its own", async () => {
    [first, second] = await Promise.all([
        one.done("up", { timeout_s: 110 }, { onprogress: (progress) => told.push(progress) }),
        two.done("up", { timeout_s: 110 }),
    ]);
    const ports = [first, second].flatMap(({ instances }) => instances.map(({ port }) => port));
    assert.equal(new Set(ports).size, 4, String(ports));
    for (const [document, name] of [[first, "one"], [second, "two"]]) {
        assert.deepEqual(document.failed, []);
        assert.equal(document.root, path.join(work, name));
        assert.equal(await text(`${service(document, "files").direct_url}/identity.txt`), name);
        assert.equal(await text(service(document, "web").direct_url), name);
        assert.equal(service(document, "web").framework, "django-runserver");
    }
});

await check("up: progress is told as it goes, in order", () => {
    assert.ok(told.length >= 2, JSON.stringify(told));
    told.forEach(({ progress, message }, index) => assert.ok(progress === index + 1 && message.length > 0));
});

await check("up: the same again changes nothing", async () => {
    const again = await one.done("up");
    const ids = ({ instances }) => instances.map(({ id }) => id).sort();
    assert.deepEqual(ids(again), ids(first));
});

await check("list: what a script is told, with the agent of each", async () => {
    const listed = await one.done("list");
    assert.deepEqual(listed, await script(path.join(work, "one"), "ls"));
    for (const agent of [one, two]) {
        const own = await agent.own();
        assert.equal(own.length, 2);
        for (const { agent: by } of own) {
            assert.equal(by.name, `agent-${agent.name}`);
            assert.match(by.session, /^mcp-/);
        }
    }
    const sessions = listed.leases.filter(({ agent }) => agent).map(({ agent }) => agent.session);
    assert.equal(new Set(sessions).size, 2, String(sessions));
});

await check("who: the port of a server, a free port, every port", async () => {
    const { port } = service(first, "web");
    const who = await one.done("who", { targets: [port] });
    assert.ok(who.listeners.length > 0 && who.lease.agent.name === "agent-one");
    assert.deepEqual((await one.done("who", { targets: ["9"] })).listeners, []);
    assert.ok((await one.done("who")).listeners.length >= 4);
});

await check("logs: bounded, of this checkout alone", async () => {
    const { lines } = await one.done("logs", { lines: 3 });
    assert.equal(lines.length, 3);
    assert.ok(lines.every(({ root }) => root === path.join(work, "one")));
    const found = await one.done("logs", { names: ["files"], grep: "identity\\.txt" });
    assert.equal(found.lines.length, 1, JSON.stringify(found));
});

await check("requests: what went through the proxy", async () => {
    await script(path.join(work, "one"), "requests", "--inspect", "on");
    const { url } = service(first, "files");
    // Node does not resolve *.localhost.
    const { hostname, port } = new URL(url);
    const asked = spawn("curl", ["-sS", "--resolve", `${hostname}:${port || 80}:127.0.0.1`, `${url}/identity.txt`]);
    await once(asked, "close");
    const { requests, inspecting } = await one.done("requests", { last: 1 });
    assert.ok(inspecting && requests.length === 1 && requests[0].path === "/identity.txt", JSON.stringify(requests));
});

await check("a tool that does not exist is an error of the protocol, and the session goes on", async () => {
    await assert.rejects(one.call("kill"), (error) => error.code === -32602);
    await one.client.ping();
});

await check("wrong arguments are errors that a model reads, with a way out", async () => {
    for (const [tool, args] of [
        ["logs", { lines: 5000 }],
        ["logs", { grep: "(" }],
        ["up", { timeout_s: "soon" }],
        ["up", { services: ["nothing-of-that-name"] }],
        ["up", { dir: path.join(work, "nowhere") }],
        ["up", { colour: "red" }],
        ["who", { targets: ["8000\n9000"] }],
        ["stop", {}],
        ["stop", { names: [] }],
        ["list", { all: "yes" }],
    ]) {
        const error = await one.refused(tool, args);
        assert.ok(error.help.length + error.why.length > 0, JSON.stringify(error));
    }
});

await check("dir: another folder than the server's own", async () => {
    const { lines } = await one.done("logs", { dir: path.join(work, "two"), lines: 5 });
    assert.ok(lines.every(({ root }) => root === path.join(work, "two")));
});

await check("cancel: a call that is taken back ends what it has started, and nothing else", async () => {
    const stop = new AbortController();
    const call = one.call("up", { dir: path.join(work, "slow") }, { signal: stop.signal });
    const slow = async () => {
        const { instances } = await two.done("list");
        return instances.filter(({ root }) => root === path.join(work, "slow"));
    };
    while ((await slow()).length === 0) await two.client.ping();
    stop.abort("enough");
    await assert.rejects(call);
    while ((await slow()).length > 0) await two.client.ping();
    assert.equal((await one.own()).length, 2);
});

await check("stop: one agent's own, the other's keep running", async () => {
    const stopped = await one.done("stop", { names: ["web", "files"] });
    assert.equal(stopped.instances.length, 2);
    assert.equal((await one.own()).length, 0);
    assert.equal((await one.refused("stop", { names: ["web"] })).exit_code, 3, "the other's web is not meant");
    assert.equal((await two.own()).length, 2);
    assert.equal((await text(`${service(second, "files").direct_url}/identity.txt`)), "two");
});

await check("the end of a session ends its server, and what is up stays up", async () => {
    const server = one.client.transport._process;
    const ended = once(server, "close");
    await one.client.close();
    assert.equal((await ended)[0], 0, "it ends by itself, and with 0");
    await two.client.close();
    const later = await Agent.start("two");
    assert.equal((await later.own()).length, 2);
    await later.done("stop", { names: ["web", "files"] });
    assert.deepEqual((await later.done("list")).instances, []);
    await later.client.close();
    assert.deepEqual([...one.strays, ...two.strays, ...later.strays], [], "nothing but the protocol on stdout");
});

console.log(`agents: ${passed} passed`);
