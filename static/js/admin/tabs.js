// @ts-check
/** Where the row of tabs is too long for the screen, begin with the one that is open in sight. */
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
