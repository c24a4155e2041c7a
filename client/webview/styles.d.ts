/** Style sheets that a page imports; the bundler writes them beside the script. */
declare module '*.css';
