//! A repository with worktrees beside its main checkout, as git makes them.

use super::super::copy::Copy;
use super::super::environment;
use super::super::place::Place;
use super::super::spec::{Book, Run};
use super::super::worktrees::git;
use super::checkout::Checkout;

/// Who has written the project.
const AUTHOR: [&str; 4] = ["-c", "user.name=shop", "-c", "user.email=shop@example.com"];

/// The main checkout and the worktrees of the table, with what was installed into each.
pub fn make<'a>(book: &Book, run: &Run, place: &'a Place) -> Result<Vec<Checkout<'a>>, String> {
    let name = run.project.rsplit('/').next().unwrap_or(&run.project);
    let main = Copy::make_at(run, place, 'a', name)?;
    git_of(place, &main, &["init", "--quiet", "--initial-branch=main"])?;
    git_of(place, &main, &["add", "."])?;
    let commit = ["commit", "--quiet", "--message", "All of it"];
    git_of(place, &main, &[&AUTHOR[..], &commit].concat())?;
    let mut copies = vec![main];
    for (letter, name) in ('b'..='z').zip(&run.worktrees) {
        copies.push(add(run, place, &copies[0], letter, name)?);
    }
    Ok(copies.into_iter().map(|copy| Checkout::of(book, run, place, copy)).collect())
}

fn add(run: &Run, place: &Place, main: &Copy, letter: char, name: &str) -> Result<Copy, String> {
    let copy = main.elsewhere(run, place, letter, name)?;
    place.hand_over(copy.folder.parent().unwrap_or(&copy.folder))?;
    git_of(place, main, &["worktree", "add", "--quiet", "-b", name, &copy.folder_text()])?;
    for dep in &run.deps {
        copy.add(dep, place)?;
    }
    copy.identify(run)?;
    place.hand_over(&copy.folder)?;
    Ok(copy)
}

/// A command of git's, by whoever owns the files.
pub fn git_of(place: &Place, copy: &Copy, arguments: &[&str]) -> Result<(), String> {
    git(&place.command("git"), &copy.folder, &environment::common(place), arguments)
}
