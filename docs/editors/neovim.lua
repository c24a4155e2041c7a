-- Cost-Aware Router in Neovim (0.7 and newer). Source it from your init.lua:
--
--   vim.g.cost_aware_router = { cmd = { 'node', '/path/to/cost-aware-router/dist/server.js', '--stdio' } }
--   dofile('/path/to/cost-aware-router/docs/editors/neovim.lua')
--
-- Then: code actions (vim.lsp.buf.code_action) on a function or a selection, and hover (vim.lsp.buf.hover) to read an
-- explanation again. :RouterStatus shows what the month has cost, :RouterKey takes an OpenAI key for this session.
local given = vim.g.cost_aware_router or {}

local config = {
  name = 'cost-aware-router',
  cmd = given.cmd or { 'node', 'dist/server.js', '--stdio' },
  -- Where the ledger and the models are kept: init_options = { dataDir = '...', modelsDir = '...' }.
  init_options = given.init_options,
  -- The same settings as in VS Code, without their prefix.
  settings = { costAwareRouter = given.settings or { budget = { monthlyUsd = 20 } } },
  -- Older versions neither send the settings by themselves nor let themselves be asked for them.
  on_init = function(client)
    client.notify('workspace/didChangeConfiguration', { settings = client.config.settings })
    return true
  end,
}

local client_id

local function attach(buffer)
  if vim.bo[buffer].buftype ~= '' then
    return
  end
  config.root_dir = config.root_dir or vim.fn.getcwd()
  -- One server for all buffers. A server that has ended is started again by the next file.
  if client_id == nil or vim.lsp.get_client_by_id(client_id) == nil then
    client_id = (vim.lsp.start_client or vim.lsp.start)(config)
  end
  if client_id ~= nil then
    vim.lsp.buf_attach_client(buffer, client_id)
  end
end

vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile' }, {
  desc = 'Attach the cost-aware router',
  callback = function(event)
    attach(event.buf)
  end,
})

local function ask(method, params, show)
  local client = client_id ~= nil and vim.lsp.get_client_by_id(client_id) or nil
  if client == nil then
    vim.notify('The router is not running; open a file first.', vim.log.levels.WARN)
    return
  end
  client.request(method, params, function(failed, result)
    if failed then
      vim.notify(failed.message, vim.log.levels.ERROR)
    else
      show(result)
    end
  end, 0)
end

vim.api.nvim_create_user_command('RouterStatus', function()
  ask('costAwareRouter/status', vim.NIL, function(status)
    local lines = { status.text }
    for _, missing in ipairs(status.missing) do
      table.insert(lines, missing.message)
    end
    vim.notify(table.concat(lines, '\n'))
  end)
end, { desc = 'What the month has cost and saved' })

-- The key stays in the server's memory and is gone when the editor is closed.
vim.api.nvim_create_user_command('RouterKey', function()
  local openai = config.settings.costAwareRouter.openai or {}
  local key = vim.fn.inputsecret('OpenAI key: ')
  ask('costAwareRouter/setKey', {
    key = key ~= '' and key or vim.NIL,
    baseUrl = openai.baseUrl or 'https://api.openai.com/v1',
  }, function(done)
    vim.notify(done.message)
  end)
end, { desc = 'Enter an OpenAI key for this session' })
