"""Sphinx settings of the book; `make book` puts its pages together (tools/build_book.py)."""

project = "mmsim"
copyright = "the mmsim team; lessons, pictures and data under CC BY 4.0"
extensions = ["myst_nb"]
nb_execution_mode = "off"  # the outputs are those that the lessons store
nb_render_markdown_format = "myst"
myst_enable_extensions: list[str] = []
myst_heading_anchors = 3
myst_links_external_new_tab = False
exclude_patterns: list[str] = []
pygments_style = "xcode"  # every colour of it is read well on white
html_theme = "alabaster"
html_theme_options = {
    "description": "one real Linux kernel bug, one atomic step at a time",
    "fixed_sidebar": False,
    "page_width": "1290px",
    "sidebar_width": "240px",
    "show_powered_by": False,
    "show_relbar_bottom": True,
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_static_path = ["book.css"]
html_css_files = ["book.css"]
# What has to be moved about to be read must be reached by the keyboard.
REACHED = """addEventListener("load", () => {
  for (const box of document.querySelectorAll("pre, table, .cell_output, .mmsim-shown > div")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
});"""
html_js_files = [(None, {"body": REACHED})]
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it would fetch pages, which a browser refuses in a folder
html_use_index = False
html_title = "mmsim"
