-- Run by neovim.test.ts inside a real Neovim: attaches, asks for actions, runs one, hovers. Prints one JSON object.
local report = { actions = {} }

local function fail(why)
  io.stdout:write(vim.json.encode({ failed = why }) .. '\n')
  vim.cmd('cquit')
end

local function client()
  return vim.lsp.buf_get_clients(0)[1] or select(2, next(vim.lsp.buf_get_clients(0)))
end

local function ask(method, params)
  local reply, why = client().request_sync(method, params, 60000, 0)
  if reply == nil or reply.err then
    fail(method .. ': ' .. vim.inspect(reply and reply.err or why))
  end
  return reply.result
end

vim.notify = function(message)
  table.insert(report, message)
  report.notified = message
end
vim.lsp.handlers['window/showMessage'] = function(_, result)
  report.message = result.message
end

vim.cmd('edit ' .. vim.env.ROUTER_TEST_FILE)
if not vim.wait(60000, function()
  local found = client()
  return found ~= nil and found.initialized
end, 50) then
  fail('the server did not start')
end

vim.fn.inputsecret = function()
  return vim.env.ROUTER_TEST_KEY
end
vim.cmd('RouterKey')
vim.wait(60000, function()
  return report.notified ~= nil
end, 20)
report.key = report.notified

vim.api.nvim_win_set_cursor(0, { 2, 2 })
local position = vim.lsp.util.make_position_params()
local range = { start = position.position, ['end'] = position.position }
local actions = ask('textDocument/codeAction', {
  textDocument = position.textDocument,
  range = range,
  context = { diagnostics = {} },
})
for _, action in ipairs(actions) do
  table.insert(report.actions, action.title)
end

ask('workspace/executeCommand', {
  command = actions[1].command.command,
  arguments = actions[1].command.arguments,
})
vim.wait(60000, function()
  return report.message ~= nil
end, 20)

local hover = ask('textDocument/hover', position)
report.hover = hover and hover.contents.value

report.notified = nil
vim.cmd('RouterStatus')
vim.wait(60000, function()
  return report.notified ~= nil
end, 20)
report.status = report.notified

io.stdout:write(vim.json.encode({
  key = report.key,
  actions = report.actions,
  message = report.message,
  hover = report.hover,
  status = report.status,
}) .. '\n')
vim.cmd('qall!')
