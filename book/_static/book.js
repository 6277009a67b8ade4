// The theme's unfolding arrows beside a chapter have no name that a screen reader could say.
document.addEventListener("DOMContentLoaded", () => {
    for (const summary of document.querySelectorAll(".bd-sidenav details > summary")) {
        const chapter = summary.closest("li").querySelector("a")?.textContent.trim();
        summary.setAttribute("aria-label", `${chapter}：展开或收起`);
    }
});
