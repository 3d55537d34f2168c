// The theme names its search button twice, and the name that is read out does not hold the words that are seen.
for (const button of document.querySelectorAll("button.search-button-field")) button.removeAttribute("aria-label");
// And the arrows in the sidebar have no name.
for (const arrow of document.querySelectorAll("nav summary")) arrow.setAttribute("aria-label", "Pages below");
// A folded cell would be read out by another name than its title.
for (const fold of document.querySelectorAll("details.hide > summary")) fold.removeAttribute("aria-label");
// An excerpt among the results of a search would begin with what stands above the page.
if (typeof Search !== "undefined") {
  const textOf = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    for (const above of page.querySelectorAll(".bd-header-article, #jb-print-docs-body")) above.remove();
    return textOf(page.documentElement.outerHTML, anchor);
  };
}
