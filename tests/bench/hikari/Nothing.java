// A connection to nothing, so that what is measured is the pool around it.
import java.sql.*;

final class Nothing implements Connection {
  public Statement createStatement() { return null; }
  public PreparedStatement prepareStatement(String a0) { return null; }
  public CallableStatement prepareCall(String a0) { return null; }
  public String nativeSQL(String a0) { return null; }
  public void setAutoCommit(boolean a0) { }
  public boolean getAutoCommit() { return true; }
  public void commit() { }
  public void rollback() { }
  public void close() { }
  public boolean isClosed() { return false; }
  public DatabaseMetaData getMetaData() { return null; }
  public void setReadOnly(boolean a0) { }
  public boolean isReadOnly() { return false; }
  public void setCatalog(String a0) { }
  public String getCatalog() { return null; }
  public void setTransactionIsolation(int a0) { }
  public int getTransactionIsolation() { return 0; }
  public SQLWarning getWarnings() { return null; }
  public void clearWarnings() { }
  public Statement createStatement(int a0, int a1) { return null; }
  public PreparedStatement prepareStatement(String a0, int a1, int a2) { return null; }
  public CallableStatement prepareCall(String a0, int a1, int a2) { return null; }
  public java.util.Map<String, Class<?>> getTypeMap() { return null; }
  public void setTypeMap(java.util.Map<String, Class<?>> a0) { }
  public void setHoldability(int a0) { }
  public int getHoldability() { return 0; }
  public Savepoint setSavepoint() { return null; }
  public Savepoint setSavepoint(String a0) { return null; }
  public void rollback(Savepoint a0) { }
  public void releaseSavepoint(Savepoint a0) { }
  public Statement createStatement(int a0, int a1, int a2) { return null; }
  public PreparedStatement prepareStatement(String a0, int a1, int a2, int a3) { return null; }
  public CallableStatement prepareCall(String a0, int a1, int a2, int a3) { return null; }
  public PreparedStatement prepareStatement(String a0, int a1) { return null; }
  public PreparedStatement prepareStatement(String a0, int[] a1) { return null; }
  public PreparedStatement prepareStatement(String a0, String[] a1) { return null; }
  public Clob createClob() { return null; }
  public Blob createBlob() { return null; }
  public NClob createNClob() { return null; }
  public SQLXML createSQLXML() { return null; }
  public boolean isValid(int a0) { return true; }
  public void setClientInfo(String a0, String a1) { }
  public void setClientInfo(java.util.Properties a0) { }
  public String getClientInfo(String a0) { return null; }
  public java.util.Properties getClientInfo() { return null; }
  public Array createArrayOf(String a0, Object[] a1) { return null; }
  public Struct createStruct(String a0, Object[] a1) { return null; }
  public void setSchema(String a0) { }
  public String getSchema() { return null; }
  public void abort(java.util.concurrent.Executor a0) { }
  public void setNetworkTimeout(java.util.concurrent.Executor a0, int a1) { }
  public int getNetworkTimeout() { return 0; }
  public <T> T unwrap(Class<T> a0) { return null; }
  public boolean isWrapperFor(Class<?> a0) { return false; }
}
