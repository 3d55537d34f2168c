// The theme names its search button twice, and the name that is read out does not hold the words that are seen.
for (const button of document.querySelectorAll("button.search-button-field")) button.removeAttribute("aria-label");
// And the arrows in the sidebar have no name.
for (const arrow of document.querySelectorAll("nav summary")) arrow.setAttribute("aria-label", "Pages below");
