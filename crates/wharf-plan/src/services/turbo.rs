//! turbo.json: what turbo runs before a task.

use serde_json::Value;

use crate::package::without_comments;
use crate::shell;

/// The commands that turbo would run before some tasks of some packages, with a name for each. A file that cannot be
/// read says nothing: turbo itself is what complains of it.
pub(crate) fn before(json: &str, tasks: &[String], packages: &[&str]) -> Vec<(String, String)> {
    let Ok(json) = serde_json::from_str::<Value>(&without_comments(json)) else {
        return Vec::new();
    };
    let all = json.get("tasks").or_else(|| json.get("pipeline"));
    let mut commands: Vec<(String, String)> = Vec::new();
    for task in tasks {
        let named = all.and_then(|all| all.get(task)?.get("dependsOn")?.as_array());
        for dependency in named.into_iter().flatten().filter_map(Value::as_str) {
            let Some(command) = command(dependency, packages) else { continue };
            if !commands.contains(&command) {
                commands.push(command);
            }
        }
    }
    commands
}

fn command(dependency: &str, packages: &[&str]) -> Option<(String, String)> {
    // `$NAME` was how the first version named a variable.
    if dependency.starts_with('$') {
        return None;
    }
    let (task, filters): (&str, Vec<String>) = match dependency.split_once('#') {
        Some(("//", task)) => (task, vec!["//".to_owned()]),
        Some((package, task)) => (task, vec![package.to_owned()]),
        None => match dependency.strip_prefix('^') {
            Some(task) => (task, packages.iter().map(|name| format!("{name}^...")).collect()),
            None => (dependency, packages.iter().map(|name| (*name).to_owned()).collect()),
        },
    };
    let mut text = format!("turbo run {}", shell::quoted(task));
    for filter in filters {
        let word = format!("--filter={filter}");
        let plain = shell::quoted(&word) == word;
        let word = if plain { word } else { format!("'{}'", word.replace('\'', r"'\''")) };
        text.push_str(&format!(" {word}"));
    }
    Some((task.to_owned(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_a_task() {
        let json = r#"{ // turbo
            "tasks": {"dev": {"dependsOn": ["^build", "db#up", "$HOME", "gen"], "persistent": true}}}"#;
        let commands = before(json, &["dev".to_owned()], &["web", "@x/api"]);
        let texts: Vec<&str> = commands.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "turbo run build '--filter=web^...' '--filter=@x/api^...'",
                "turbo run up --filter=db",
                "turbo run gen --filter=web --filter=@x/api"
            ]
        );
        assert!(before("{", &["dev".to_owned()], &[]).is_empty());
        assert!(before("{\"tasks\": {\"dev\": {}}}", &["dev".to_owned()], &[]).is_empty());
    }
}
