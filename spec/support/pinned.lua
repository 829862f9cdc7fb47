-- Loaded before the first spec. luv's loop lives as long as the module's table: busted forgets the
-- modules of one file before it reads the next, and the next to load luv gets a table without the
-- loop, which the collector may have freed by then. So the first table is kept.
local registry = debug.getregistry()
registry.luv = registry.luv or require("luv")
package.loaded.luv = nil -- who needs it loads it
