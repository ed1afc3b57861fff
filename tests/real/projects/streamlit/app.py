from pathlib import Path

import streamlit as st

st.title("Which copy is this?")
st.write(Path(__file__).with_name("static").joinpath("identity.txt").read_text())
