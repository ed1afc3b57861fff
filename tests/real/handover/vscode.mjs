// Visual Studio Code's own code on the two files that are written for it: its JSON service with its schemas, its parser
// of tasks, its resolver of variables.
//
//     vscode.mjs PARTS FOLDER
//
// Prints what was found wrong, and the tasks as they would be run.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [parts, folder] = process.argv.slice(2);
const require = createRequire(path.join(parts, "editors/package.json"));
const own = async (name) => import(pathToFileURL(require.resolve(`@codingame/monaco-vscode-${name}`)).href);
const vs = (name) => own(`api/vscode/vs/${name}`);

const { getLanguageService, TextDocument } = require("vscode-json-languageservice");
const { default: tasksSchema } = await own(
  "task-service-override/vscode/vs/workbench/contrib/tasks/common/jsonSchema_v2",
);
const { launchSchema } = await own("debug-service-override/vscode/vs/workbench/contrib/debug/common/debugSchemas");
const { parse, TaskConfigSource } = await vs("workbench/contrib/tasks/common/taskConfiguration");
const { Platform } = await vs("base/common/platform");
const { parse: jsonc } = await vs("base/common/json");
const { ValidationStatus } = await vs("base/common/parsers");
const { URI } = await vs("base/common/uri");

const wrong = [];
const service = getLanguageService({});

async function read(name, schema) {
  const text = fs.readFileSync(path.join(folder, ".vscode", name), "utf8");
  const document = TextDocument.create(`file:///${name}`, "jsonc", 1, text);
  const plain = JSON.parse(JSON.stringify(schema));
  const said = await service.doValidation(document, service.parseJSONDocument(document), {}, plain);
  wrong.push(...said.map((one) => `${name}: ${one.message}`));
  const errors = [];
  const value = jsonc(text, errors);
  wrong.push(...errors.map((one) => `${name}: error ${one.error} at ${one.offset}`));
  return value;
}

class Reporter {
  status = new ValidationStatus();
  info(text) {
    wrong.push(`tasks.json: ${text}`);
  }
  warn = this.info;
  error = this.info;
  fatal = this.info;
}

const tasks = await read("tasks.json", tasksSchema);
const launch = await read("launch.json", launchSchema);
const workspace = { uri: URI.file(folder), name: "folder", index: 0, toResource: (below) => URI.file(`${folder}/${below}`) };
// A desktop, on which both ways to run a task are there.
const context = { getContext: () => ({ getValue: () => true }) };
const source = TaskConfigSource.TasksJson;
const parsed = parse(workspace, undefined, Platform.Linux, tasks, new Reporter(), source, context);
const told = parsed.custom.map((task) => ({
  label: task._label,
  process: task.command.runtime === 2,
  words: [task.command.name, ...(task.command.args ?? [])].filter((word) => word !== undefined),
  options: task.command.options,
  background: task.configurationProperties.isBackground,
  needs: (task.configurationProperties.dependsOn ?? []).map((one) => one.task),
  order: task.configurationProperties.dependsOrder,
}));
console.log(JSON.stringify({ wrong, tasks: told, launch }));
